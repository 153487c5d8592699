"""Words as vectors: one-hot, of chosen features, and learnt from the words around them.

    python examples/word_embeddings.py                                   a made-up text, seconds
    python examples/word_embeddings.py --model skipgram --output negative
    python examples/word_embeddings.py --data FILE --output sampled --save MODEL
    python examples/word_embeddings.py --load MODEL --words king,apple   neighbours, correlations
    python examples/word_embeddings.py --load MODEL --evaluate FILE      score another text

The lecture's one-hot example and word-correlation matrix (one_hot.py); then its neural language
model, whose embedding E is learnt with f: P(w_t | w_1 ... w_t-1) = f(e_1, ..., e_t-1), e_t = E x_t.
--model skipgram and cbow learn E by word2vec's models instead, --output chooses the objective.
"""

from __future__ import annotations

import random

import numpy as np

import tinygrad_seq as tg
from tinygrad_seq import data, nn, optim, train
from tinygrad_seq.data import synthetic
from tinygrad_seq.data.synthetic import FEATURE_NAMES, FEATURES, SENTENCES
from tinygrad_seq.word2vec import WordVectors, correlation_table, feature_table, one_hot_table

WORDS = ",".join(FEATURES)
OUTPUTS = {
    "softmax": lambda width, counts: nn.FullSoftmax(width, len(counts), bias=True),
    "sampled": lambda width, counts: nn.SampledSoftmax(
        width, nn.UnigramSampler(counts), min(64, len(counts)), bias=True
    ),
    "nce": lambda width, counts: nn.NCE(width, nn.UnigramSampler(counts), 64, bias=True),
    "negative": lambda width, counts: nn.NegativeSampling(width, nn.UnigramSampler(counts)),
    "tree": lambda width, counts: nn.HierarchicalSoftmax(width, nn.HuffmanTree(counts), bias=True),
}


class LanguageModel(nn.Module):
    """The lecture's: P(w_t | w_1 ... w_t-1) by a GRU over the embeddings and an output layer."""

    def __init__(self, embedding, output):
        self.embedding, self.output = embedding, output
        self.recurrent = nn.GRU(embedding.embedding_dim, output.in_features)

    def forward(self, ids, targets, state=None, reduction="mean"):
        """The loss of targets (T, B), given ids (T, B) and a state, and the state after them."""
        h, state = self.recurrent(self.embedding(ids), state)
        return self.output(h, targets, reduction=reduction), state


MODELS = {"language": LanguageModel, "skipgram": nn.SkipGram, "cbow": nn.CBOW}


class WordModel(nn.Module):
    """A vocabulary, and what predicts its words, by this kind of model.

    tokenizer: as Tokenizer.to_dict gives it;  counts: how often each word occurs
    """

    def __init__(self, tokenizer, counts, model, output, width, hidden, window):
        self.tokenizer = data.Tokenizer.from_dict(tokenizer)
        self.kind, self.window = model, window
        embedding = nn.Embedding(len(self.tokenizer), width, sparse=True)
        nn.init.normal_(embedding.weight, 0, 0.1)
        output = OUTPUTS[output](hidden if model == "language" else width, counts)
        self.predictor = MODELS[model](embedding, output)

    def forward(self, batch, state=None, reduction="mean"):
        """The loss, of how many predictions, and the state after a batch."""
        if self.kind == "language":
            x, y = map(tg.tensor, batch)
            loss, state = self.predictor(x, y, state, reduction)
            return loss, y.size, state
        contexts, lengths, words = batch
        mask = np.arange(len(contexts)) < lengths[:, None]
        parts = (contexts.T, words) if self.kind == "cbow" else (words, contexts.T)
        loss = self.predictor(*map(tg.tensor, parts), tg.tensor(mask), reduction)
        return loss, words.size if self.kind == "cbow" else int(mask.sum()), None

    def batches(self, text, name, batch_size, steps=50, shuffle=True):
        """Batches of a text: parts of it in parallel, or words with the words around them."""
        ids, n = self.tokenizer.encode_passage(text, name), self.window
        if self.kind == "language":
            return data.TruncatedBPTT(ids, batch_size, steps)
        around = [np.r_[ids[max(0, t - n) : t], ids[t + 1 : t + n + 1]] for t in range(len(ids))]
        return data.PaddedBatches(around, batch_size, targets=ids, shuffle=shuffle)

    def vectors(self):
        """The learnt vectors, on the host."""
        weight = self.predictor.embedding.weight.detach().to("numpy").numpy()
        return WordVectors(self.tokenizer.vocabulary.tokens, weight)


def show_unlearnt():
    """Prints one-hot vectors, and vectors of features with what they have in common."""
    words = sorted({word for word in data.words(" ".join(SENTENCES), lower=True) if word != "."})
    print(f"one-hot vectors of the {len(words)} words of: {' '.join(SENTENCES)}")
    features = WordVectors(list(FEATURES), np.array(list(FEATURES.values()), np.float32))
    print(one_hot_table(words), feature_table(features, FEATURE_NAMES), sep="\n\n")
    print(correlation_table(features, features.words, nearest=3))
    for one, other in (("man", "woman"), ("king", "queen")):
        print(f"{one} - {other} = {np.round(features[one] - features[other], 2)}")


def score(name, model, text):
    """Nats a prediction over a text; over all words, where the output layer can."""
    size = 1 if model.kind == "language" else 100
    batches = model.batches(text, name, size, 200, shuffle=False)
    loss = train.stream_loss(model, lambda batch, state: model(batch, state, "sum"), batches)
    exact = hasattr(model.predictor.output, "log_probabilities")
    more = f", perplexity {train.perplexity(loss):.3f}" if exact else ""
    print(f"{name}: {loss:.4f} nats a prediction{more}", flush=True)
    return loss


def make(options):
    """A model trained on the text of --data, and saved."""
    texts = (synthetic.court(random.Random(seed), n) for seed, n in ((0, 2500), (1, 250)))
    corpus = data.load_corpus(options.data) if options.data else data.Corpus(*texts, "made up")
    tokenizer = data.Tokenizer.build(
        "words", [corpus.train], min_count=options.min_count, specials=("<unk>",)
    )
    ids = tokenizer.encode(corpus.train)
    settings = train.settings_of(options, "model", "output", "width", "hidden", "window")
    settings["counts"] = np.bincount(ids, minlength=len(tokenizer)).clip(1).tolist()
    settings["tokenizer"] = tokenizer.to_dict()
    model = WordModel(**settings)
    print(f"{len(ids):,} words, {len(tokenizer):,} different", model, sep="\n")

    def loss(batch, state):
        loss, _, state = model(batch, state)
        return loss, state if state is None else nn.detached(state)

    train.fit(
        model, loss, model.batches(corpus.train, "the text", options.batch),
        lambda: score("validation", model, corpus.validation), options,
        optimizer=optim.Adam(model.parameters(), lr=options.lr),
    )  # fmt: skip
    train.save_model(train.model_path(options), model, settings)
    return model


def parse():
    parser = train.program_parser(__doc__, "runs/word_embeddings", epochs=6, hidden=32, min_count=1)
    add = parser.add_argument
    add("--model", choices=MODELS, default="language", help="what learns (default: language)")
    add("--output", choices=OUTPUTS, default="softmax", help="the objective (default: softmax)")
    add("--width", type=train.positive, default=16, help="of a word vector (default: 16)")
    add("--window", type=train.positive, default=2, help="context words to each side (default: 2)")
    add("--batch", type=train.positive, help="parallel parts (default: 16), or words (128)")
    add("--words", default=WORDS, help=f"whose neighbours to print (default: {WORDS})")
    options = train.parse_options(parser, "words")
    options.batch = options.batch or (16 if options.model == "language" else 128)
    return options


def main():
    options = parse()
    text = options.evaluate and data.read_text(options.evaluate)
    if not options.load:
        show_unlearnt()
    model = train.load_model(options.load, WordModel) if options.load else make(options)
    words = [word for word in options.words.split(",") if word in model.tokenizer.vocabulary]
    if words:
        print(correlation_table(model.vectors(), words, nearest=3))
    else:
        print(f"none of {options.words} is among the model's words")
    if text is not None:
        score(options.evaluate, model, text)


if __name__ == "__main__":
    train.run_program(main)
