"""A neural language model: the next character or word given those before it.

    python examples/language_model.py                                 the built-in text, a minute
    python examples/language_model.py --data FILE --save MODEL        a text of your own
    python examples/language_model.py --load MODEL --generate "The "  write on from a prompt
    python examples/language_model.py --load MODEL --evaluate FILE    score another text

The lecture's model: h_t from h_t-1 and x_t by an RNN, GRU or LSTM; softmax(W h_t + b) over the
vocabulary; cross-entropy by truncated backpropagation through time, the state carried on.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

import tinygrad_seq as tg
from tinygrad_seq import nn, ops, optim
from tinygrad_seq.data import (
    TruncatedBPTT,
    Vocabulary,
    characters,
    join_words,
    load_corpus,
    read_text,
    words,
)
from tinygrad_seq.decode import Sampler, generate, greedy
from tinygrad_seq.train import Trainer, bits, perplexity

SMALL = {"layers": 1, "hidden": 128, "dropout": 0.0, "epochs": 3}  # for the built-in text
LARGE = {"layers": 2, "hidden": 256, "dropout": 0.25, "epochs": 12}  # for a file
LAYERS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
TOKENS = {
    "chars": (characters, "".join),
    "words": (lambda text: words(text, lower=True), join_words),
}


class LanguageModel(nn.Module):
    """Logits of the next token at every step: ids (T, B) -> (T, B, V), state."""

    def __init__(self, vocabulary_size, cell, layers, hidden, embedding, tied, dropout):
        if tied and embedding != hidden:
            raise ValueError(f"tied weights need --embedding {hidden}, as wide as the hidden state")
        self.vocabulary_size = vocabulary_size
        self.embedding = nn.Embedding(vocabulary_size, embedding) if embedding else None
        self.dropout = nn.Dropout(dropout)
        width = embedding or vocabulary_size
        self.recurrent = LAYERS[cell](width, hidden, layers, dropout=dropout)
        self.output = nn.Linear(hidden, vocabulary_size)
        if tied:
            self.output.weight = self.embedding.weight

    def forward(self, ids, state=None):
        """Logits (T, B, V) and the state after ids (T, B)."""
        ids = tg.tensor(ids)
        x = self.embedding(ids) if self.embedding else ops.one_hot(ids, self.vocabulary_size)
        h, state = self.recurrent(self.dropout(x), state)
        return self.output(self.dropout(h)), state

    def step(self, state, tokens):
        """State and logits (B, V) after one more token (B,)."""
        logits, state = self(tokens[None], state)
        return state, logits[0]

    def free_running(self, ids, state, probability):
        """Like forward, but each input after the first is, with this probability, the model's own
        prediction at the step before (scheduled sampling, Bengio et al. 2015)."""
        random, tokens, outputs = tg.default_generator().numpy, ids[0], []
        for following in [*ids[1:], ids[0]]:
            state, logits = self.step(state, tokens)
            outputs.append(logits)
            own = greedy(logits.detach().to("numpy").numpy())
            tokens = np.where(random.random(len(tokens)) < probability, own, following)
        return ops.stack(outputs), state


def cross_entropy(logits, targets):
    return ops.cross_entropy(logits.reshape(-1, logits.shape[-1]), tg.tensor(targets.reshape(-1)))


def mean_loss(model, ids, batch_size=1):
    """Nats a token of a text, read in order in `batch_size` parallel parts."""
    state, total, batches = None, 0.0, TruncatedBPTT(ids, batch_size, 200)
    model.eval()
    with tg.no_grad():
        for x, y in batches:
            logits, state = model(x, state)
            total += cross_entropy(logits, y).item() * y.size
    return total / (batches.steps * batch_size)


def train(options, settings):
    """Trains a model, saves it, and returns it with its vocabulary."""
    corpus = load_corpus(options.data, options.validation)
    split, _ = TOKENS[options.tokens]
    specials = ("<unk>",) if options.tokens == "chars" else ("<unk>", "<eos>")
    tokens = split(corpus.train)
    vocabulary = Vocabulary.build(tokens, min_count=options.min_count, specials=specials)
    ids, held_out = vocabulary.encode(tokens), vocabulary.encode(split(corpus.validation))
    print(f"{len(ids):,} {options.tokens}, {len(vocabulary):,} different; "
          f"validation on {corpus.source}")  # fmt: skip
    model = LanguageModel(len(vocabulary), **settings)
    print(model)
    batches = TruncatedBPTT(ids, options.batch, options.steps)
    optimizer = optim.Adam(model.parameters(), lr=options.lr)
    total = options.epochs * len(batches)
    schedule = optim.WarmupCosine(optimizer, min(200, total // 10), total)

    def loss(batch, state):
        x, y = batch
        if options.free_running:
            logits, state = model.free_running(x, state, options.free_running)
        else:  # teacher forcing
            logits, state = model(x, state)
        return cross_entropy(logits, y), nn.detached(state)

    def validate():
        value = mean_loss(model, held_out, batch_size=min(16, len(held_out) // 50 or 1))
        print(report(f"epoch {trainer.epoch + 1}: validation", value, options.tokens), flush=True)
        return value

    trainer = Trainer(
        model, optimizer, loss, batches, validate=validate, batch_schedule=schedule,
        clip=options.clip, folder=options.folder, patience=options.patience,
        checkpoint_every=options.checkpoint_every,
    )  # fmt: skip
    if options.resume and trainer.resume():
        print(f"resumed after epoch {trainer.epoch}, batch {trainer.count}")
    history = trainer.fit(options.epochs)
    trainer.restore_best()
    print(f"trained for {sum(row['seconds'] for row in history.rows):.0f} s")
    print(report("validation, in order", mean_loss(model, held_out), options.tokens))
    path = Path(options.save or Path(options.folder) / "model.safetensors")
    about = {"settings": settings, "tokens": options.tokens, "vocabulary": vocabulary.to_dict()}
    tg.save(path, model.state_dict(), {"language_model": json.dumps(about)})
    print(f"model: {path}   losses: {Path(options.folder) / 'loss.png'}")
    return model, vocabulary


def report(name, loss, unit):
    if unit == "words":
        return f"{name}: perplexity {perplexity(loss):.2f} a word ({loss:.4f} nats)"
    return (
        f"{name}: {loss:.4f} nats or {bits(loss):.4f} bits a character, "
        f"perplexity {perplexity(loss):.3f}"
    )


def load(path):
    """A saved model, its vocabulary, and its kind of token."""
    about = json.loads(tg.load_metadata(path)["language_model"])
    vocabulary = Vocabulary.from_dict(about["vocabulary"])
    model = LanguageModel(len(vocabulary), **about["settings"])
    model.load_state_dict(tg.load(path))
    return model, vocabulary, about["tokens"]


def write_on(model, vocabulary, unit, prompt, options):
    """The prompt and what the model makes of it."""
    split, join = TOKENS[unit]
    choose = greedy
    if options.temperature > 0:
        choose = Sampler(options.temperature, options.top_k, options.top_p)
    ids = vocabulary.encode(split(prompt))
    model.eval()
    (more,) = generate(
        model.step, None, ids[:, None], choose=choose, max_length=options.length, eos=vocabulary.eos
    )
    return join(split(prompt) + vocabulary.decode(more, skip_specials=False))


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--data", help="text file (.gz too), or a folder with train.txt and val.txt")
    add("--validation", help="text file to validate on (default: val.* beside train.*, or a tenth)")
    add("--tokens", choices=TOKENS, default="chars", help="what is predicted (default: chars)")
    add("--min-count", type=int, default=1, help="rarer tokens become <unk> (default: 1)")
    add("--cell", choices=LAYERS, default="lstm", help="(default: lstm)")
    for name, kind, text in (
        ("layers", int, "recurrent layers"), ("hidden", int, "width of the hidden state"),
        ("dropout", float, "probability, on inputs, between layers, and on outputs"),
        ("epochs", int, "passes over the text"),
    ):  # fmt: skip
        defaults = f"{LARGE[name]}; {SMALL[name]} for the built-in text"
        add(f"--{name}", type=kind, help=f"{text} (default: {defaults})")
    add("--embedding", type=int, default=64, help="width; 0 for one-hot input (default: 64)")
    add("--tied", action="store_true", help="one matrix for embedding and output")
    add("--free-running", type=float, default=0.0, metavar="P",
        help="probability of the model's own prediction as next input (default: 0)")  # fmt: skip
    add("--batch", type=int, default=32, help="parallel parts of the text (default: 32)")
    add("--steps", type=int, default=64, help="steps of truncated BPTT (default: 64)")
    add("--lr", type=float, default=4e-3, help="Adam's peak learning rate (default: 0.004)")
    add("--clip", type=float, default=1.0, help="largest norm of the gradient (default: 1)")
    add("--patience", type=int, help="epochs without a better validation before stopping")
    add("--backend", default="numpy", help="numpy or cupy (default: numpy)")
    add("--seed", type=int, default=0, help="of all random numbers (default: 0)")
    add("--folder", default="runs/language_model", help="for checkpoint, metrics, loss picture")
    add("--checkpoint-every", type=int, default=200, help="batches (default: 200)")
    add("--resume", action="store_true", help="go on from the folder's checkpoint")
    add("--save", help="model file (default: model.safetensors in the folder)")
    add("--load", help="model file to use instead of training")
    add("--evaluate", metavar="FILE", help="with --load: text to score, in order")
    add("--generate", metavar="PROMPT", help="write on from this")
    add("--length", type=int, default=300, help="tokens to generate (default: 300)")
    add("--temperature", type=float, default=0.8, help="of sampling; 0: greedy (default: 0.8)")
    add("--top-k", type=int, help="sample among the k likeliest tokens")
    add("--top-p", type=float, help="sample among the likeliest tokens of this probability")
    return parser.parse_args()


def main():
    options = parse()
    tg.use_backend(options.backend)
    tg.manual_seed(options.seed)
    defaults = SMALL if options.data is None else LARGE
    for name, value in defaults.items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    if options.load:
        model, vocabulary, unit = load(options.load)
    else:
        names = ("cell", "layers", "hidden", "embedding", "tied", "dropout")
        model, vocabulary = train(options, {name: getattr(options, name) for name in names})
        unit = options.tokens
    prompt = options.generate or (None if options.load else "The ")
    if prompt is not None:
        print(write_on(model, vocabulary, unit, prompt, options))
    if options.evaluate:
        ids = vocabulary.encode(TOKENS[unit][0](read_text(options.evaluate)))
        print(report("evaluation, in order", mean_loss(model, ids), unit))


if __name__ == "__main__":
    main()
