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
    return features.log_mel(signal / max(abs(signal).max(), 1e-4), RATE, mels=40, floor=1e-3)


def listen(path):
    """The signal of a WAV or FLAC file, resampled if its rate is higher."""
    return data.AudioFolder(Path(path).parent, RATE)[Path(path).name]


def prepared(model, x, lengths, frames, columns):
    """Spectra with every column at mean 0 and deviation 1 as a tensor.

    In training a run of at most so many frames, and one of columns, is hidden in each.
    """
    x = (x - model.mean) / model.deviation
    if model.training:
        random = tg.default_generator().numpy
        for b, n in enumerate(lengths):
            x[:n, b] = features.mask_features(x[:n, b], frames, columns, random)
    return tg.tensor(x)


class DigitModel(nn.Module):
    """Logits of the digits: spectra x (T, B, 40), lengths (B,) -> (B, 10).

    mean, deviation: of each band in the training recordings
    """

    def __init__(self, digits, mean, deviation, hidden, layers, dropout):
        self.digits = data.Vocabulary(digits, specials=())
        self.mean, self.deviation = np.float32(mean), np.float32(deviation)
        self.dropout = nn.Dropout(dropout)
        self.recurrent = nn.GRU(40, hidden, layers, dropout=dropout, bidirectional=True)
        self.output = nn.Linear(4 * hidden, len(digits))

    def forward(self, x, lengths):
        """Logits of the digits."""
        h, _ = self.recurrent(prepared(self, x, lengths, 8, 8), lengths=lengths)
        return self.output(self.dropout(nn.max_and_mean(h, lengths)))

    def probabilities(self, signal):
        """Of every digit, in a signal: (10,)."""
        x = hear(signal)[:, None]
        with tg.no_grad():
            return ops.softmax(self(x, np.array([len(x)])))[0].to("numpy").numpy()


def made_up_recordings(number=360):
    """Ten words of two different vowels, said high and low, quickly and slowly by anyone."""
    random, recordings = np.random.default_rng(0), []
    vowels = {"a": (750, 1200), "e": (450, 1900), "i": (280, 2300), "u": (320, 800)}
    words = ["ae", "ai", "au", "ea", "ei", "eu", "ia", "ie", "iu", "ua"]
    for i in range(number):
        pitch = random.uniform(90, 220) * random.uniform(0.8, 1.2, 3)
        seconds, tract = random.uniform(0.2, 0.4), random.uniform(0.9, 1.15)
        formants = [vowels[letter] for letter in words[i % 10]]
        signal = data.voices.glide(formants, pitch, seconds, RATE, random, tract=tract, breath=0.05)
        values = {"digit": str(i % 10), "speaker": "any", "split": "val" if i % 3 == 0 else "train"}
        recordings.append(data.Recording(f"made up, {i}", signal, values))
    return recordings


def parts_of(folder, columns):
    """The recordings to train on and those to validate with, of a folder or made up."""
    recordings = data.read_recordings(folder, RATE, columns) if folder else made_up_recordings()
    parts = [[r for r in recordings if r.values["split"] == part] for part in ("train", "val")]
    if not all(parts):
        raise ValueError(f"{folder}: {len(parts[0])} recordings of the split train, "
                         f"{len(parts[1])} of val, expected some of both")  # fmt: skip
    return parts


def batches_of(model, recordings, size, speeds=(1.0,), shuffle=True):
    """Batches of spectra, lengths and digits, each recording at every speed."""
    spectra = [hear(features.change_speed(r.signal, v)) for r in recordings for v in speeds]
    digits = data.label_ids(recordings, "digit", model.digits).repeat(len(speeds))
    return data.PaddedBatches(spectra, size, targets=digits, shuffle=shuffle, bucket=8)


def score(title, model, batches):
    """Share of recordings whose digit is found, printed."""
    model.eval()
    with tg.no_grad():
        pairs = [
            (model(x, lengths).to("numpy").numpy().argmax(axis=1), y) for x, lengths, y in batches
        ]
    said, right = map(np.concatenate, zip(*pairs, strict=True))
    figure = train.metrics.accuracy(said, right)
    print(f"{title}: {figure:.2%} of {len(right):,} recordings", flush=True)
    return figure


def make(options):
    """A model trained on the recordings of --data, and saved."""
    recordings, held_out = parts_of(options.data, ["digit", "split"])
    mean, deviation = features.column_statistics([hear(r.signal) for r in recordings])
    settings = train.settings_of(options, "hidden", "layers", "dropout")
    settings |= {"mean": mean.tolist(), "deviation": deviation.tolist()}
    settings |= {"digits": sorted({r.values["digit"] for r in recordings})}
    model = DigitModel(**settings)
    print(f"{len(recordings):,} recordings, validation on {len(held_out):,}", model, sep="\n")
    batches = batches_of(model, recordings, options.batch, (0.9, 1.0, 1.1))
    judged = batches_of(model, held_out, 64, shuffle=False)

    def loss(batch, _):
        x, lengths, y = batch
        return ops.cross_entropy(model(x, lengths), tg.tensor(y)), None

    train.fit(model, loss, batches, lambda: -score("validation", model, judged), options,
              weight_decay=0.01)  # fmt: skip
    score("validation, best", model, judged)
    train.save_model(train.model_path(options), model, settings)
    draw(Path(options.folder) / "digit.png", model, held_out[0].signal)
    return model


def draw(path, model, signal):
    """A picture of a recording: its wave, what the network hears, and what it makes of it."""
    p, seconds = model.probabilities(signal), len(signal) / RATE
    print(f"heard {model.digits.tokens[p.argmax()]} (p = {p.max():.2f})")
    with train.picture(path, (8, 6), rows=3) as (wave, spectrum, digits):
        wave.plot(np.arange(len(signal)) / RATE, audio.to_int16(signal), linewidth=0.5)
        wave.set(xlim=(0, seconds), ylabel="16-bit sample", title="the wave")
        scale = (lambda y: y / 32768, lambda y: y * 32768)
        wave.secondary_yaxis("right", functions=scale).set_ylabel("from -1 to 1")
        spectrum.imshow(hear(signal).T, origin="lower", aspect="auto", extent=(0, seconds, 0, 40))
        spectrum.set(xlabel="seconds", ylabel="mel band", title="log-mel spectrum")
        digits.bar(model.digits.tokens, p)
        digits.set(ylim=(0, 1), ylabel="probability", title="the digit")


def main():
    sizes = {"hidden": 96, "layers": 2, "dropout": 0.3, "batch": 32}
    parser = train.program_parser(__doc__, "runs/spoken_digits", **sizes)
    parser.add_argument("--hear", help="recording to listen to")
    parser.add_argument("--split", help="evaluate only recordings of this split")
    options = train.parse_options(parser)
    options.epochs = options.epochs or (6 if options.data else 5)
    model = train.load_model(options.load, DigitModel) if options.load else make(options)
    if options.hear:
        draw(Path(options.folder) / "heard.png", model, listen(options.hear))
    if options.evaluate:
        recordings = data.read_recordings(options.evaluate, RATE, ["digit"])
        if options.split:
            recordings = [r for r in recordings if r.values.get("split") == options.split]
            if not recordings:
                raise ValueError(f"{options.evaluate}: no recordings of the split {options.split}")
        score(options.evaluate, model, batches_of(model, recordings, 64, shuffle=False))


if __name__ == "__main__":
    train.run_program(main)
