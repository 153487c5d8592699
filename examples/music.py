"""Chorales, a chord at a time: one start, then a whole piece (one-to-many).

    python examples/music.py                                   made-up harmony, half a minute
    python examples/music.py --data FOLDER --save MODEL        train.json, valid.json
    python examples/music.py --load MODEL --evaluate FILE      score other pieces
    python examples/music.py --load MODEL --piece song.wav --seconds 60

A piece is a list of steps, each the list of MIDI pitches that sound. Each of the 54 pitches from 43
to 96 is a Bernoulli variable, its probability a function of all steps before; the first step is
predicted from zeros. The figure: nats a step, summed over the pitches, averaged over all steps.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import tinygrad_seq as tg
from tinygrad_seq import data, nn, ops, train
from tinygrad_seq.data import audio, series

PITCHES = series.HIGHEST - series.LOWEST + 1
RATE = 22_050  # samples a second of the WAV file


class MusicModel(nn.Module):
    """Logits of every pitch at the next step: x (T, B, 54) of 0 and 1 -> (T, B, 54), state."""

    def __init__(self, hidden, dropout):
        self.dropout = nn.Dropout(dropout)
        self.recurrent = nn.LSTM(PITCHES, hidden)
        self.output = nn.Linear(hidden, PITCHES)

    def forward(self, x, state=None):
        """Logits after each step, and the state to go on from."""
        h, state = self.recurrent(x, state)
        return self.output(self.dropout(h)), state

    def loss(self, batch):
        """Nats of all steps of a batch, and how many steps there are."""
        x, lengths, y = batch
        logits, _ = self(tg.tensor(x))
        there = (np.arange(len(x))[:, None] < lengths)[..., None].astype(np.float32)  # (T, B, 1)
        nats = ops.binary_cross_entropy_with_logits(logits, y, tg.tensor(there), reduction="sum")
        return nats, int(lengths.sum())


def made_up_pieces(number=120):
    """I IV V I in any key, each chord for two to four steps, its notes in any octave."""
    random, pieces = np.random.default_rng(0), []
    for _ in range(number):
        piece, key = [], random.integers(12)
        for degree in [0, 5, 7, 0] * 3:
            octaves = random.integers(0, 2, 3) * 12
            chord = [
                48 + (key + degree + n) % 12 + o for n, o in zip((0, 4, 7), octaves, strict=True)
            ]
            piece += [[int(pitch) for pitch in chord]] * random.integers(2, 5)
        pieces.append(series.piano_roll(piece))
    return pieces


def batches_of(pieces, size, shuffle=True):
    """Batches of (steps before, lengths, steps): the first step before is zeros."""
    begun = [np.concatenate([np.zeros_like(piece[:1]), piece]) for piece in pieces]
    return data.next_step_batches(begun, size, target_pad=0, shuffle=shuffle, bucket=4)


def score(title, model, batches):
    """Nats a step."""
    nats = train.mean_loss(model, model.loss, batches)
    print(f"{title}: {nats:.3f} nats a step", flush=True)
    return nats


def make(options):
    """A model trained on the pieces of --data, and saved."""
    made = made_up_pieces()
    pieces, held_out = made[20:], made[:20]
    if options.data:
        names = ("train.json", "valid.json")
        pieces, held_out = (series.read_pieces(Path(options.data) / name) for name in names)
    settings = train.settings_of(options, "hidden", "dropout")
    model = MusicModel(**settings)
    print(f"{len(pieces)} pieces, validation on {len(held_out)}", model, sep="\n")
    batches = batches_of(series.transposed(pieces, options.transpose), options.batch)
    held_out = batches_of(held_out, 32, shuffle=False)
    train.fit(model, train.averaged(model.loss), batches,
              lambda: score("validation", model, held_out), options, weight_decay=0.01)  # fmt: skip
    score("validation, best", model, held_out)
    train.save_model(train.model_path(options), model, settings)
    return model


def compose(model, steps, temperature):
    """A new piece, (steps, 54): each pitch drawn with its probability, given all before."""
    random, piece = tg.default_generator().numpy, np.zeros((steps + 1, 1, PITCHES), np.float32)
    state = None
    with tg.no_grad():
        for t in range(steps):
            logits, state = model(tg.tensor(piece[t : t + 1]), state)
            p = ops.sigmoid(logits / temperature).to("numpy").numpy()[0]
            piece[t + 1] = random.random(p.shape) < p
    return piece[1:, 0]


def main():
    sizes = {"hidden": 256, "dropout": 0.5, "batch": 16}
    parser = train.program_parser(__doc__, "runs/music", epochs=(30, 8), **sizes)
    add = parser.add_argument
    add("--transpose", type=train.count, default=3, help="train in keys so far away (default: 3)")
    add("--piece", help="WAV file to write (default: piece.wav in the folder)")
    add("--seconds", type=train.positive, default=30, help="of the piece (default: 30)")
    add("--temperature", type=train.above_zero, default=0.9, help="below 1 safer (default: 0.9)")
    options = train.parse_options(parser, "piece", "seconds")
    model = train.load_model(options.load, MusicModel) if options.load else make(options)
    path = Path(options.piece or Path(options.folder) / "piece.wav")
    path.parent.mkdir(parents=True, exist_ok=True)
    piece = compose(model, options.seconds * 4, options.temperature)
    audio.write_wav(path, series.sound_of(piece, RATE, 0.25), RATE)
    print(f"a piece of {options.seconds} s: {path}")
    if options.evaluate:
        pieces = series.read_pieces(options.evaluate)
        score(options.evaluate, model, batches_of(pieces, 32, shuffle=False))


if __name__ == "__main__":
    train.run_program(main)
