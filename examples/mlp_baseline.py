"""The lecture's point about MLPs on sequences: a flattened sequence against a recurrent network.

    python examples/mlp_baseline.py                            made-up names, half a minute
    python examples/mlp_baseline.py --data FOLDER              train.txt, val.txt: a name a line
    python examples/mlp_baseline.py --load MODEL --evaluate FILE

Both predict the next letter of a name from those before. The MLP sees them as one vector of V·T
numbers, [x_1 ... x_T] one-hot, zeros where nothing has come yet; its first matrix is H × VT, and
what it learns about a letter at one place says nothing about the next. The RNN, h_t = tanh(W_h h +
W_x x + b), uses the same weights at every step. Parameters and score stand side by side; one file
holds both models.
The figure: nats a symbol, the letters and one end symbol of each name; names longer than T - 1
letters are cut for both.
"""

from __future__ import annotations

import numpy as np

import tinygrad_seq as tg
from tinygrad_seq import data, nn, ops, train


class NextLetter(nn.Module):
    """Logits of the next symbol after each: ids (T, B) -> (T, B, V); symbol 0 is the end."""

    def __init__(self, kind, letters, hidden, steps):
        self.kind, self.letters, self.steps = kind, letters, steps
        self.size = len(letters) + 1
        if kind == "mlp":
            self.hidden = nn.Linear(self.size * steps, hidden)
        else:
            self.recurrent = nn.RNN(self.size, hidden)
        self.output = nn.Linear(hidden, self.size)

    def forward(self, ids):
        """Logits (T, B, V) after each symbol."""
        x = ops.one_hot(tg.tensor(ids), self.size)  # (T, B, V)
        h = self.recurrent(x)[0] if self.kind == "rnn" else ops.tanh(self.hidden(self.flat(x)))
        return self.output(h)

    def flat(self, x):
        """What the MLP sees at each step: all that came, one after another, (T, B, steps · V)."""
        T, B, V = x.shape
        came = np.tril(np.ones((T, T), dtype=np.float32))[..., None, None]  # (T, T, 1, 1)
        seen = ops.swapaxes(tg.tensor(came) * x, 1, 2).reshape(T, B, T * V)
        rest = tg.zeros((T, B, (self.steps - T) * V))
        return ops.concat([seen, rest], axis=-1)

    def loss(self, batch):
        """Cross-entropy of the symbols that are there, and how many: padding is ignored."""
        x, lengths, y = batch
        logits = self(x)
        return nn.sequence_cross_entropy(logits, y, reduction="sum"), int(lengths.sum())


class Comparison(nn.Module):
    """Both models, of the same letters."""

    def __init__(self, letters, hidden, mlp_hidden, length):
        self.mlp = NextLetter("mlp", letters, mlp_hidden, length)
        self.rnn = NextLetter("rnn", letters, hidden, length)


def batches_of(model, names, source, size, shuffle=True):
    """Batches of symbols and of those that follow them, names of about one length together."""
    ids = data.letter_ids([name[: model.steps - 1] for name in names], model.letters, source)
    return data.next_step_batches(ids, size, shuffle=shuffle, bucket=8)


def score(title, model, batches):
    """Nats a symbol."""
    nats = train.mean_loss(model, model.loss, batches)
    print(f"{title}: {nats:.4f} nats a symbol", flush=True)
    return nats


def fit(kind, model, names, held_out, options):
    """Nothing; trains one of the models."""
    batches = batches_of(model, names, options.data or "names", options.batch)
    judged = batches_of(model, held_out, "validation", 256, shuffle=False)
    train.fit(
        model, train.averaged(model.loss), batches,
        lambda: score(f"{kind}: validation", model, judged), train.in_folder(options, kind),
    )  # fmt: skip


def make(options):
    """Both models, trained and saved, after printing their sizes and scores."""
    made = data.synthetic.names(np.random.default_rng(0), 1500)
    names, held_out = made[300:], made[:300]
    if options.data:
        corpus = data.load_corpus(options.data)
        names, held_out = corpus.train.split(), corpus.validation.split()
    settings = train.settings_of(options, "hidden", "mlp_hidden", "length")
    settings["letters"] = sorted(set("".join(names + held_out)))
    both = Comparison(**settings)
    for kind, model in (("mlp", both.mlp), ("rnn", both.rnn)):
        fit(kind, model, names, held_out, options)
    train.save_model(train.model_path(options), both, settings)
    compare("validation, best", both, held_out)
    return both


def compare(source, both, names):
    """Prints each model's size and score, the recurrent one's last."""
    for title, model in (("flattened MLP", both.mlp), ("recurrent", both.rnn)):
        title = f"{source}, {title}, {model.num_parameters():,} parameters"
        score(title, model, batches_of(model, names, source, 256, shuffle=False))


def main():
    parser = train.program_parser(__doc__, "runs/mlp_baseline", epochs=(8, 3), hidden=128, batch=64)
    add = parser.add_argument
    add("--mlp-hidden", type=train.positive, default=128, help="of the MLP (default: 128)")
    add("--length", type=train.positive, default=16, help="T, the longest sequence (default: 16)")
    options = train.parse_options(parser)
    both = train.load_model(options.load, Comparison) if options.load else make(options)
    if options.evaluate:
        compare(options.evaluate, both, data.read_text(options.evaluate).split())


if __name__ == "__main__":
    train.run_program(main)
