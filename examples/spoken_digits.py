"""A word for every recording (many-to-one): the spoken digits 0 to 9.

    python examples/spoken_digits.py                               a made-up language, half a minute
    python examples/spoken_digits.py --data FOLDER --save MODEL    labels.csv and its recordings
    python examples/spoken_digits.py --load MODEL --evaluate FOLDER
    python examples/spoken_digits.py --load MODEL --hear nine.wav

labels.csv has the columns file, digit and split (train or val). A recording is a wave of samples
from -1 to 1, 16-bit integers in the file; a network reads its log-mel spectrum, 40 bands every 10
ms (digit.png shows both). A bidirectional GRU; the largest and the mean of its outputs over time
give ten logits. Loss: cross-entropy. The figure: share of recordings whose digit is found.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import tinygrad_seq as tg
from tinygrad_seq import data, nn, ops, train
from tinygrad_seq.data import audio, features

RATE = 8000  # samples a second


def hear(signal):
    """The log-mel spectrum (T, 40) of a signal, the loudest sample at 1."""
    return features.log_mel(audio.full_scale(signal), RATE, mels=40, floor=1e-3)


class DigitModel(nn.Module):
    """Logits of the digits: spectra x (T, B, 40), lengths (B,) -> (B, 10).

    mean, deviation: of each band in the training recordings
    In training a run of at most 8 frames, and one of bands, is hidden in each.
    """

    def __init__(self, digits, mean, deviation, hidden, layers, dropout):
        self.digits = data.Vocabulary(digits, specials=())
        self.mean, self.deviation = features.check_statistics(mean, deviation)
        self.dropout = nn.Dropout(dropout)
        self.recurrent = nn.GRU(len(mean), hidden, layers, dropout=dropout, bidirectional=True)
        self.output = nn.Linear(4 * hidden, len(digits))

    def forward(self, x, lengths):
        """Logits of the digits."""
        x = (x - self.mean) / self.deviation
        if self.training:
            x = features.mask_padded(x, lengths, 8, 8, tg.default_generator().numpy)
        h, _ = self.recurrent(tg.tensor(x), lengths=lengths)
        return self.output(self.dropout(nn.max_and_mean(h, lengths)))


def heard(model, recordings):
    """What the model hears of recordings, and the ids of their digits."""
    return [hear(r.signal) for r in recordings], data.label_ids(recordings, "digit", model.digits)


def score(title, model, spectra, digits):
    """Share of recordings whose digit is found, printed."""
    said = train.predict(model, spectra).argmax(axis=1)
    figure = train.metrics.accuracy(said, digits)
    print(f"{title}: {figure:.2%} of {len(digits):,} recordings", flush=True)
    return figure


def make(options):
    """A model trained on the recordings of --data, and saved."""
    if options.data:
        recordings = data.read_recordings(options.data, RATE, ["digit", "split"])
    else:
        recordings = data.voices.spoken_words(np.random.default_rng(0))
    taught, held_out = (data.of_split(recordings, split) for split in ("train", "val"))
    mean, deviation = features.column_statistics([hear(r.signal) for r in taught])
    settings = train.settings_of(options, "hidden", "layers", "dropout")
    settings |= {"mean": mean.tolist(), "deviation": deviation.tolist()}
    settings |= {"digits": sorted({r.values["digit"] for r in taught})}
    model = DigitModel(**settings)
    print(f"{len(taught):,} recordings, validation on {len(held_out):,}", model, sep="\n")
    spectra, digits = heard(model, data.at_speeds(taught, (0.9, 1.0, 1.1)))
    judged = heard(model, held_out)
    batches = data.PaddedBatches(spectra, options.batch, targets=digits, bucket=8)

    def loss(batch, _):
        x, lengths, y = batch
        return ops.cross_entropy(model(x, lengths), tg.tensor(y)), None

    train.fit(model, loss, batches, lambda: -score("validation", model, *judged), options,
              weight_decay=0.01)  # fmt: skip
    score("validation, best", model, *judged)
    train.save_model(train.model_path(options), model, settings)
    draw(Path(options.folder) / "digit.png", model, held_out[0].signal)
    return model


def draw(path, model, signal):
    """A picture of a recording: its wave, what the network hears, and what it makes of it."""
    x, seconds = hear(signal), len(signal) / RATE
    p = ops.softmax(train.predict(model, [x]))[0]
    print(f"heard {model.digits.tokens[p.argmax()]} (p = {p.max():.2f})")
    with train.picture(path, (8, 6), rows=3) as (wave, spectrum, digits):
        wave.plot(np.arange(len(signal)) / RATE, audio.to_int16(signal), linewidth=0.5)
        wave.set(xlim=(0, seconds), ylabel="16-bit sample", title="the wave")
        scale = (lambda y: y / 32768, lambda y: y * 32768)
        wave.secondary_yaxis("right", functions=scale).set_ylabel("from -1 to 1")
        spectrum.imshow(x.T, origin="lower", aspect="auto", extent=(0, seconds, 0, 40))
        spectrum.set(xlabel="seconds", ylabel="mel band", title="log-mel spectrum")
        digits.bar(model.digits.tokens, p)
        digits.set(ylim=(0, 1), ylabel="probability", title="the digit")


def main():
    sizes = {"hidden": 96, "layers": 2, "dropout": 0.3, "batch": 32}
    parser = train.program_parser(__doc__, "runs/spoken_digits", epochs=(6, 5), **sizes)
    parser.add_argument("--hear", help="recording to listen to")
    parser.add_argument("--split", help="evaluate only recordings of this split")
    options = train.parse_options(parser, "hear", "split")
    model = train.load_model(options.load, DigitModel) if options.load else make(options)
    if options.hear:
        signal = data.read_signal(options.hear, RATE)
        draw(Path(options.folder) / "heard.png", model, signal)
    if options.evaluate:
        recordings = data.read_recordings(options.evaluate, RATE, ["digit"])
        if options.split:
            recordings = data.of_split(recordings, options.split)
        score(options.evaluate, model, *heard(model, recordings))


if __name__ == "__main__":
    train.run_program(main)
