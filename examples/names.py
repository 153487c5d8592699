"""Names, letter by letter: one start, then a whole sequence (one-to-many).

    python examples/names.py                                   made-up names, half a minute
    python examples/names.py --data FOLDER --save MODEL        train.txt, val.txt: a name a line
    python examples/names.py --load MODEL --evaluate FILE      score other names
    python examples/names.py --load MODEL --samples 20

P(name) = Π P(x_t | x_1 ... x_t-1), the last symbol being the end; the end symbol starts a name too.
The figure: nats a symbol, its letters and one end symbol for each name.
"""

from __future__ import annotations

import numpy as np

import tinygrad_seq as tg
from tinygrad_seq import data, nn, train
from tinygrad_seq.decode import generate

END = 0


class NameModel(nn.Module):
    """Logits of the next symbol: ids (T, B) -> (T, B, V), state; symbol 0 is the end."""

    def __init__(self, letters, hidden, layers, dropout):
        self.letters = letters
        self.embedding = nn.Embedding(len(letters) + 1, 64)
        self.dropout = nn.Dropout(dropout)
        self.recurrent = nn.LSTM(64, hidden, layers, dropout=dropout)
        self.output = nn.Linear(hidden, len(letters) + 1)

    def forward(self, ids, state=None):
        """Logits after each symbol, and the state to go on from."""
        h, state = self.recurrent(self.dropout(self.embedding(tg.tensor(ids))), state)
        return self.output(self.dropout(h)), state

    def loss(self, batch):
        """Cross-entropy of the symbols that are there, and how many: padding is ignored."""
        x, lengths, y = batch
        logits, _ = self(x)
        return nn.sequence_cross_entropy(logits, y, reduction="sum"), int(lengths.sum())

    def step(self, state, symbols):
        """State and logits (B, V) after one more symbol (B,)."""
        logits, state = self(symbols[None], state)
        return state, logits[0]

    def encode(self, names, source):
        """Each name as ids, the end symbol on both sides."""
        return data.letter_ids(names, self.letters, source)

    def spell(self, ids):
        """The name that ids stand for."""
        return "".join(self.letters[i - 1] for i in ids)


def batches_of(model, names, source, size, shuffle=True):
    """Batches of symbols and of those that follow them, names of about one length together."""
    return data.next_step_batches(model.encode(names, source), size, shuffle=shuffle, bucket=8)


def score(title, model, batches):
    """Nats a symbol."""
    nats = train.mean_loss(model, model.loss, batches)
    print(f"{title}: {nats:.4f} nats a symbol", flush=True)
    return nats


def make(options):
    """A model trained on the names of --data, and saved."""
    if options.data:
        corpus = data.load_corpus(options.data)
        names, held_out, source = corpus.train.split(), corpus.validation.split(), corpus.source
    else:
        made = data.synthetic.names(np.random.default_rng(0), 3000)
        names, held_out, source = made[300:], made[:300], "made-up names"
    settings = train.settings_of(options, "hidden", "layers", "dropout")
    settings["letters"] = sorted(set("".join(names)))
    model = NameModel(**settings)
    print(f"{len(names):,} names, validation on {len(held_out):,} ({source})", model, sep="\n")
    batches = batches_of(model, names, options.data or source, options.batch)
    held_out = batches_of(model, held_out, source, 256, shuffle=False)
    train.fit(model, train.averaged(model.loss), batches,
              lambda: score("validation", model, held_out), options, weight_decay=0.01)  # fmt: skip
    score("validation, best", model, held_out)
    train.save_model(train.model_path(options), model, settings)
    return model


def main():
    sizes = {"hidden": 256, "layers": 2, "dropout": 0.3, "batch": 64}
    parser = train.program_parser(__doc__, "runs/names", epochs=(14, 3), **sizes)
    parser.add_argument("--samples", type=train.count, default=10,
                        help="names to make up (default: 10)")  # fmt: skip
    train.add_sampling(parser)
    options = train.parse_options(parser, "samples")
    choose = train.sampling_of(options)
    model = train.load_model(options.load, NameModel) if options.load else make(options)
    start = np.zeros((1, options.samples), dtype=np.int64)
    made = generate(model.step, None, start, choose=choose, eos=END)
    print(*(model.spell(ids) for ids in made), sep="\n")
    if options.evaluate:
        names = data.read_text(options.evaluate).split()
        score(options.evaluate, model, batches_of(model, names, options.evaluate, 256, False))


if __name__ == "__main__":
    train.run_program(main)
