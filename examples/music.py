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

import json
from pathlib import Path

import numpy as np

import tinygrad_seq as tg
from tinygrad_seq import data, nn, ops
from tinygrad_seq.train import (
    above_zero,
    fit,
    load_model,
    model_path,
    parse_options,
    positive,
    probability,
    program_parser,
    run_program,
    save_model,
)

LOWEST, PITCHES = 43, 54
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


def read_pieces(path):
    """The pieces of a JSON file, each an array (T, 54) of 0 and 1."""
    try:
        pieces = [roll(piece) for piece in json.loads(data.read_text(path))]
    except (TypeError, ValueError, IndexError) as error:
        raise ValueError(
            f"{path}: expected a list of pieces of lists of pitches: {error}"
        ) from error
    if not pieces:
        raise ValueError(f"{path}: no pieces in it")
    return pieces


def roll(piece):
    """A list of lists of pitches as an array (T, 54) of 0 and 1."""
    if not piece:
        raise ValueError("a piece without steps")
    array = np.zeros((len(piece), PITCHES), dtype=np.float32)
    for step, pitches in enumerate(piece):
        for pitch in pitches:
            if not LOWEST <= pitch < LOWEST + PITCHES:
                raise ValueError(f"pitch {pitch} at step {step}, expected {LOWEST} to 96")
            array[step, pitch - LOWEST] = 1
    return array


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
        pieces.append(roll(piece))
    return pieces


def transposed(pieces, most):
    """The pieces, and each up and down by up to `most` semitones where it stays in range."""
    found = []
    for piece in pieces:
        for shift in range(-most, most + 1):
            lost = piece[:, : max(-shift, 0)].any() or piece[:, PITCHES - max(shift, 0) :].any()
            if not lost:
                found.append(np.roll(piece, shift, axis=1))
    return found


def batches_of(pieces, size, shuffle=True):
    """Batches of (steps before, lengths, steps): the first step before is zeros."""
    before = [np.concatenate([np.zeros_like(p[:1]), p[:-1]]) for p in pieces]
    return data.PaddedBatches(before, size, targets=pieces, target_pad=0, shuffle=shuffle, bucket=4)


def total_loss(model, batch):
    """Nats of all steps of a batch, and how many steps there are."""
    x, lengths, y = batch
    logits, _ = model(tg.tensor(x))
    there = (np.arange(len(x))[:, None] < lengths)[..., None].astype(np.float32)  # (T, B, 1)
    nats = ops.binary_cross_entropy_with_logits(logits, y, tg.tensor(there), reduction="sum")
    return nats, int(lengths.sum())


def score(title, model, batches):
    model.eval()
    with tg.no_grad():
        parts = [total_loss(model, batch) for batch in batches]
    nats = sum(loss.item() for loss, _ in parts) / sum(steps for _, steps in parts)
    print(f"{title}: {nats:.3f} nats a step", flush=True)
    return nats


def make(options):
    """A model trained on the pieces of --data, and saved."""
    if options.data:
        pieces = read_pieces(Path(options.data) / "train.json")
        held_out = read_pieces(Path(options.data) / "valid.json")
    else:
        made = made_up_pieces()
        pieces, held_out = made[20:], made[:20]
    settings = {"hidden": options.hidden, "dropout": options.dropout}
    model = MusicModel(**settings)
    print(f"{len(pieces)} pieces, validation on {len(held_out)}", model, sep="\n")
    held_out = batches_of(held_out, 32, shuffle=False)

    def loss(batch, _):
        nats, steps = total_loss(model, batch)
        return nats / steps, None

    batches = batches_of(transposed(pieces, options.transpose), options.batch)
    fit(model, loss, batches, lambda: score("validation", model, held_out), options,
        weight_decay=0.01)  # fmt: skip
    score("validation, best", model, held_out)
    save_model(model_path(options), model, settings)
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


def write_wav(path, piece, step=0.25):
    """A WAV file of a piece: a decaying tone of three harmonics for every note that begins."""
    long = int(RATE * step)
    sound = np.zeros(long * (len(piece) + 4))
    for t, p in zip(*np.nonzero(piece), strict=True):
        held = next((n for n in range(1, len(piece) - t) if not piece[t + n, p]), len(piece) - t)
        if t and piece[t - 1, p]:
            continue  # it sounds already
        seconds = np.arange(long * (held + 1)) / RATE
        turns = 2 * np.pi * 440 * 2 ** ((p + LOWEST - 69) / 12) * seconds
        tone = sum(np.sin(n * turns) / n**2 for n in (1, 2, 3))
        envelope = np.minimum(1, seconds / 0.01) * np.exp(-1.5 * seconds)
        sound[t * long :][: len(tone)] += (tone * envelope)[: len(sound) - t * long]
    data.audio.write_wav(path, 0.9 * sound / max(abs(sound).max(), 1e-9), RATE)


def main():
    parser = program_parser(__doc__, "runs/music")
    add = parser.add_argument
    add("--hidden", type=positive, default=256, help="width of h (default: 256)")
    add("--dropout", type=probability, default=0.5, help="of h (default: 0.5)")
    add("--transpose", type=int, default=3, help="train in keys up to so far away (default: 3)")
    add("--batch", type=positive, default=16, help="pieces a batch (default: 16)")
    add("--piece", help="WAV file to write (default: piece.wav in the folder)")
    add("--seconds", type=positive, default=30, help="of the piece (default: 30)")
    add("--temperature", type=above_zero, default=0.9, help="below 1 safer (default: 0.9)")
    options = parse_options(parser)
    options.epochs = options.epochs or (30 if options.data else 8)
    model = load_model(options.load, MusicModel) if options.load else make(options)
    path = Path(options.piece or Path(options.folder) / "piece.wav")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_wav(path, compose(model, options.seconds * 4, options.temperature))
    print(f"a piece of {options.seconds} s: {path}")
    if options.evaluate:
        score(options.evaluate, model, batches_of(read_pieces(options.evaluate), 32, shuffle=False))


if __name__ == "__main__":
    run_program(main)
