"""Transfer learning: word vectors learnt from unlabelled text help where labels are few.

    python examples/transfer_learning.py                       a small made-up set, seconds
    python examples/transfer_learning.py --data FOLDER         GoEmotions, and its texts as corpus
    python examples/transfer_learning.py --data FOLDER --vectors GLOVE.txt --no-header
    python examples/transfer_learning.py --load MODEL --evaluate FILE

FOLDER has train.tsv and dev.tsv (plain or gzip), lines "text<TAB>labels", and labels.tsv with the
columns id and group: a text counts as positive or negative if all its labels are of that group.
The model is the mean of a text's word vectors, and a line through them; it is trained on a few
texts, once with vectors from word2vec, once with random ones, and judged on all of dev.tsv. The
figure: share of such texts judged right. The last model, of learnt vectors left alone, is saved.
"""

from __future__ import annotations

import functools
import itertools
import random
import statistics
from pathlib import Path

import numpy as np

import tinygrad_seq as tg
from tinygrad_seq import data, nn, ops, optim, train
from tinygrad_seq.data import synthetic
from tinygrad_seq.word2vec import Word2Vec, WordVectors, open_vectors

CLASSES = ("negative", "positive")


def of_one_class(texts, groups):
    """(text, class) of those texts whose labels are all of the class."""
    found = [(text, {groups[label] for label in labels}) for text, labels in texts]
    return [(text, CLASSES.index(group)) for text, (group, *more) in found
            if group in CLASSES and not more]  # fmt: skip


def read_texts(options):
    """Labelled texts to train on and to judge by, the corpus of all texts, the labels' groups."""
    if options.data:
        texts, dev, groups = data.read_labelled_folder(options.data)
        corpus = [text for text, _ in texts]
        return of_one_class(texts, groups), of_one_class(dev, groups), corpus, groups
    chance = random.Random(options.seed)
    labelled, dev = (synthetic.opinions(chance, number) for number in (500, 1000))
    return labelled, dev, synthetic.remarks(chance, 4000), dict(zip("01", CLASSES, strict=True))


class MeanOfVectors(nn.Module):
    """Logits (B, 2) of texts: ids (T, B), lengths (B,).

    tokenizer: as Tokenizer.to_dict gives it;  groups: of each label;  embedding: None for one whose
    vectors are loaded afterwards
    """

    def __init__(self, tokenizer, groups, width, embedding=None):
        self.tokenizer, self.groups = data.Tokenizer.from_dict(tokenizer), groups
        self.embedding = embedding or nn.Embedding(len(self.tokenizer), width)
        self.dropout, self.output = nn.Dropout(0.3), nn.Linear(width, len(CLASSES))

    def forward(self, ids, lengths):
        """The padding's vector is 0, so that a sum over time is one over the words."""
        sums = self.embedding(ids).sum(axis=0)  # (B, D)
        return self.output(self.dropout(sums / tg.tensor(np.maximum(lengths, 1)[:, None])))

    def batch(self, texts):
        """Ids, lengths and classes of (text, class)."""
        ids, lengths = data.pad_sequences([self.tokenizer.encode(text) for text, _ in texts])
        return tg.tensor(ids), lengths.astype(np.float32), np.array([y for _, y in texts])


def fit(model, texts, options):
    """Nothing; trains the model on all of a few texts at once."""
    optimizer = optim.Adam(model.parameters(), lr=options.lr)
    ids, lengths, labels = model.batch(texts)
    for _ in range(options.epochs):
        loss = ops.cross_entropy(model(ids, lengths), tg.tensor(labels))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def accuracy(model, texts):
    """Share of texts that the model is right on."""
    model.eval()
    ids, lengths, labels = model.batch(texts)
    with tg.no_grad():
        logits = model(ids, lengths).to("numpy").numpy()
    return train.metrics.accuracy(logits.argmax(axis=1), labels)


def learnt_vectors(options, corpus):
    """The vectors of --vectors, or word2vec's of the corpus, by one thread: always the same."""
    if options.vectors:
        return open_vectors(options.vectors, options.no_header)
    small = {"vector_size": 30, "min_count": 1, "sample": 0.0}
    large = {"vector_size": 100, "min_count": 3, "sample": 1e-4}
    model = Word2Vec(**(large if options.data else small), window=10, epochs=20,
                     seed=options.seed, workers=1, progress=False)  # fmt: skip
    return model.fit([data.words(text, lower=True) for text in corpus]).vectors


def noise(wv, seed):
    """Random vectors as large as the learnt ones."""
    mean, deviation, shape = wv.vectors.mean(), wv.vectors.std(), wv.vectors.shape
    vectors = np.random.default_rng(seed).normal(mean, deviation, shape)
    return WordVectors(wv.words, vectors.astype(np.float32))


def compare(options, scores, wv, labelled, dev, groups):
    """Prints the accuracy with learnt and with random vectors, mean and deviation over trials."""
    words = (word for text, _ in labelled for word in data.words(text, lower=True))
    vocabulary = data.Vocabulary(dict.fromkeys([*wv.words, *words]), specials=("<pad>", "<unk>"))
    tokenizer = data.Tokenizer("words", vocabulary).to_dict()
    settings = {"tokenizer": tokenizer, "groups": groups, "width": wv.vector_size}

    def judged(kind, frozen, trial):
        """The accuracy of a new model, which is saved: the last one stays."""
        tg.manual_seed(trial)
        few = random.Random(trial).sample(labelled, options.examples)
        vectors = wv if kind == "learnt" else noise(wv, trial)
        embedding = nn.Embedding.from_pretrained(vectors, vocabulary, frozen, sparse=True)
        model = MeanOfVectors(**settings, embedding=embedding)
        fit(model, few, options)
        train.save_model(train.model_path(options), model, settings)
        return accuracy(model, dev)

    for kind, frozen in itertools.product(("random", "learnt"), (False, True)):
        how, found = "frozen" if frozen else "trained too", []
        for trial in range(options.seed, options.seed + options.trials):
            one = functools.partial(judged, kind, frozen, trial)
            found.append(scores.find(f"{kind} vectors, {how}, trial {trial}", one))
        print(f"{kind} vectors, {how}: {statistics.mean(found):.1%} right "
              f"(deviation {np.std(found, ddof=1) if found[1:] else 0:.1%} "
              f"over {len(found)} trials)", flush=True)  # fmt: skip


def make(options):
    """The last model of the comparison."""
    labelled, dev, corpus, groups = read_texts(options)
    if not dev or len(labelled) < options.examples:
        counts = f"{len(labelled)} texts to train on, {len(dev)} to judge by"
        raise ValueError(f"{counts}, expected more")
    names = ("data", "vectors", "examples", "trials", "epochs", "lr", "seed", "save")
    about = train.settings_of(options, *names)
    scores = train.Scores(Path(options.folder) / "scores.json", about, options.resume)
    wv, share = learnt_vectors(options, corpus), statistics.mean(y for _, y in dev)
    print(f"{wv}; {options.examples} labelled texts; judged on {len(dev)}, "
          f"{max(share, 1 - share):.1%} of them of one class")  # fmt: skip
    compare(options, scores, wv, labelled, dev, groups)
    return train.load_model(train.model_path(options), MeanOfVectors)


def main():
    parser = train.plain_parser(__doc__, "runs/transfer_learning", epochs=100)
    add, default = parser.add_argument, "(default: %(default)s)"
    add("--vectors", help="word vectors (default: learnt from the texts, without their labels)")
    add("--no-header", action="store_true", help="the file of --vectors is GloVe's")
    add("--examples", type=train.positive, default=train.ByData(200, 20),
        help=f"labelled texts to train on {default}")  # fmt: skip
    add("--trials", type=train.positive, default=5, help=f"each with other texts {default}")
    add("--lr", type=train.above_zero, default=0.01, help=f"learning rate {default}")
    options = train.parse_options(parser)
    model = train.load_model(options.load, MeanOfVectors) if options.load else make(options)
    if options.evaluate:
        texts = of_one_class(data.read_labelled(options.evaluate, model.groups), model.groups)
        if not texts:
            raise ValueError(f"{options.evaluate}: no texts that are all positive or all negative")
        print(f"{options.evaluate}: {accuracy(model, texts):.1%} of {len(texts)} right")


if __name__ == "__main__":
    train.run_program(main)
