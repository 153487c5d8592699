"""The lecture's point about MLPs on sequences: a flattened sequence against a recurrent network.

    python examples/mlp_baseline.py                            made-up names, half a minute
    python examples/mlp_baseline.py --data FOLDER              train.txt, val.txt: a name a line
    python examples/mlp_baseline.py --load MODEL --evaluate FILE

Both predict the next letter of a name from those before. The MLP sees them as one vector of V·T
numbers, [x_1 ... x_T] one-hot, zeros where nothing has come yet; its first matrix is H × VT, and
what it learns about a letter at one place says nothing about the next. The RNN, h_t = tanh(W_h h +
W_x x + b), uses the same weights at every step. Parameters and score stand side by side.
The figure: nats a symbol, the letters and one end symbol of each name; names longer than T - 1
letters are cut for both.
"""

from __future__ import annotations

import numpy as np
from names import batches_of, encode, made_up_names, score, total_loss

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
        """Logits (T, B, V), and no state to go on from."""
        x = ops.one_hot(tg.tensor(ids), self.size)  # (T, B, V)
        h = self.recurrent(x)[0] if self.kind == "rnn" else ops.tanh(self.hidden(self.flat(x)))
        return self.output(h), None

    def flat(self, x):
        """What the MLP sees at each step: all that came, one after another, (T, B, steps · V)."""
        T, B, V = x.shape
        came = np.tril(np.ones((T, T), dtype=np.float32))[..., None, None]  # (T, T, 1, 1)
        seen = ops.swapaxes(tg.tensor(came) * x, 1, 2).reshape(T, B, T * V)
        rest = tg.zeros((T, B, (self.steps - T) * V))
        return ops.concat([seen, rest], axis=-1)

    def encode(self, names, source):
        """Each name as ids, the end symbol on both sides."""
        return encode(self.letters, [name[: self.steps - 1] for name in names], source)


def make(kind, hidden, names, held_out, options):
    """A model of this kind, trained, and its score."""
    settings = {"kind": kind, "letters": sorted(set("".join(names + held_out))), "hidden": hidden}
    settings["steps"] = options.length
    model = NextLetter(**settings)
    judged = batches_of(model, held_out, "validation", 256, shuffle=False)
    batches = batches_of(model, names, "names", options.batch)

    def loss(batch, _):
        nats, symbols = total_loss(model, batch)
        return nats / symbols, None

    folder, options.folder = options.folder, f"{options.folder}/{kind}"
    train.fit(model, loss, batches, lambda: score(f"{kind}: validation", model, judged), options)
    options.folder = folder
    train.save_model(train.model_path(options), model, settings)
    return model, score(f"{kind}: validation, best", model, judged)


def main():
    parser = train.program_parser(__doc__, "runs/mlp_baseline", hidden=128, batch=64)
    add = parser.add_argument
    add("--mlp-hidden", type=train.positive, default=128, help="of the MLP (default: 128)")
    add("--length", type=train.positive, default=16, help="T, the longest sequence (default: 16)")
    options = train.parse_options(parser)
    options.epochs = options.epochs or (8 if options.data else 3)
    if options.load:
        model = train.load_model(options.load, NextLetter)
    else:
        made = made_up_names(1500)
        names, held_out = made[300:], made[:300]
        if options.data:
            corpus = data.load_corpus(options.data)
            names, held_out = corpus.train.split(), corpus.validation.split()
        mlp = make("mlp", options.mlp_hidden, names, held_out, options)
        rnn = make("rnn", options.hidden, names, held_out, options)  # the one that stays saved
        model = rnn[0]
        for title, (kind, nats) in (("flattened MLP", mlp), ("recurrent", rnn)):
            print(f"{title:15s} {kind.num_parameters():9,} parameters  {nats:.4f} nats a symbol")
    if options.evaluate:
        names = data.read_text(options.evaluate).split()
        score(options.evaluate, model, batches_of(model, names, options.evaluate, 256, False))


if __name__ == "__main__":
    train.run_program(main)
