"""What was said, a string of digits, from the sound alone (sequence-to-sequence, by CTC).

    python examples/speech_recognition.py                               a made-up language
    python examples/speech_recognition.py --data FOLDER --save MODEL    recordings, tables
    python examples/speech_recognition.py --load MODEL --evaluate STRINGS
    python examples/speech_recognition.py --load MODEL --hear number.wav

A string is recordings of one speaker, one after the other, with silence between; a table such as
digit_strings_val.csv has transcript ("3 8 9"), files, and gaps_ms (before, between and after).
Training makes its own strings, of one to seven words, of the recordings that labels.csv has as
train. A bidirectional LSTM reads three log-mel frames at a time and says a digit or a blank; nobody
says which frame is of which digit. Loss: -log of the probability of the transcript, summed over all
alignments, a digit. The figure: word error rate of the best path, digits substituted, deleted and
inserted over digits said.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from spoken_digits import RATE, hear, listen, parts_of, prepared

import tinygrad_seq as tg
from tinygrad_seq import data, decode, nn, ops, train
from tinygrad_seq.data import features

STACK = 3  # log-mel frames, 10 ms each, that the network reads at a time
BLANK = " "  # no word, unlike any transcript's


def read(signal):
    """What the network reads of a signal: (T, 120)."""
    frames = hear(signal)
    last = frames[-1:].repeat(-len(frames) % STACK, axis=0)
    return np.concatenate([frames, last]).reshape(-1, STACK * 40)


class Recogniser(nn.Module):
    """Log-probabilities of blank and words: spectra x (T, B, 120), lengths -> (T, B, 1 + V).

    mean, deviation: of each column in the training recordings
    """

    def __init__(self, words, mean, deviation, hidden, layers, dropout):
        self.words = data.Vocabulary([BLANK, *words], specials=())
        self.mean, self.deviation = np.float32(mean), np.float32(deviation)
        self.dropout = nn.Dropout(dropout)
        self.recurrent = nn.LSTM(len(mean), hidden, layers, dropout=dropout, bidirectional=True)
        self.output = nn.Linear(2 * hidden, len(self.words))

    def forward(self, x, lengths):
        """Log-probabilities of every frame."""
        h, _ = self.recurrent(prepared(self, x, lengths, 3, 24), lengths=lengths)
        return ops.log_softmax(self.output(self.dropout(h)))

    def write(self, x, lengths):
        """The transcript of each sequence, by the best path."""
        with tg.no_grad():
            found = decode.best_path(self(x, lengths), lengths)
        return [" ".join(self.words.tokens[i] for i in ids) for ids in found]


class Strings:
    """Random strings of the words of one speaker, from recordings."""

    def __init__(self, model, recordings, speeds=(1.0,)):
        self.speakers = {}
        words = data.label_ids(recordings, "digit", model.words)
        for r, word in zip(recordings, words, strict=True):
            said = self.speakers.setdefault(r.values["speaker"], [])
            said += [(features.change_speed(r.signal, speed), word) for speed in speeds]

    def draw(self, random, number, longest):
        """So many strings of at most so many words: what the network reads, and their words."""
        strings = []
        for _ in range(number):
            said = self.speakers[random.choice(list(self.speakers))]
            chosen = random.integers(len(said), size=random.integers(1, longest + 1))
            signals, words = zip(*(said[i] for i in chosen), strict=True)
            gaps = random.uniform(0.02, 0.15, len(words) + 1)
            strings.append((read(data.join_signals(signals, gaps, RATE)), np.array(words)))
        return strings


def strings_of(path, model):
    """Every string of a table: what the network reads, and its words."""
    strings = []
    for where, signal, values in data.read_strings(path, RATE):
        words = values["transcript"].split()
        for word in words:
            if word not in model.words:
                raise ValueError(f"{where}: the model has no word {word!r}")
        strings.append((read(signal), model.words.encode(words)))
    return strings


def batches_of(strings, size):
    """Batches of spectra (T, B, 120), lengths, words (S, B) and numbers of words, in order."""
    x, words = zip(*strings, strict=True)
    return data.PaddedBatches(x, size, outputs=words, target_pad=0, shuffle=False)


def score(title, model, strings):
    """Word error rate, printed."""
    model.eval()
    said = [text for x, lengths, *_ in batches_of(strings, 50) for text in model.write(x, lengths)]
    right = [" ".join(model.words.tokens[i] for i in words) for _, words in strings]
    figure = train.metrics.word_error_rate(said, right)
    print(f"{title}: word error rate {figure:.2%} of {len(right):,} strings", flush=True)
    return figure


def make(options):
    """A model trained on strings of the recordings of --data, and saved."""
    recordings, held_out = parts_of(options.data, ["digit", "speaker", "split"])
    mean, deviation = features.column_statistics([read(r.signal) for r in recordings])
    settings = train.settings_of(options, "hidden", "layers", "dropout")
    settings |= {"mean": mean.tolist(), "deviation": deviation.tolist()}
    settings |= {"words": sorted({r.values["digit"] for r in recordings})}
    model = Recogniser(**settings)
    if options.data:
        judged = strings_of(Path(options.data) / "digit_strings_val.csv", model)
    else:
        judged = Strings(model, held_out).draw(np.random.default_rng(1), 60, options.longest)
    print(f"{len(recordings):,} recordings, validation on {len(judged):,} strings", model, sep="\n")
    strings = Strings(model, recordings, (0.9, 1.0, 1.1))

    def batch(random, _):
        drawn = strings.draw(random, options.batch, options.longest)
        return next(iter(batches_of(drawn, options.batch)))

    def loss(batch, _):
        x, lengths, words, sizes = batch
        return ops.ctc_loss(model(x, lengths), words.T, lengths, sizes), None

    batches = data.GeneratedBatches(batch, options.batches, options.seed)
    train.fit(model, loss, batches, lambda: score("validation", model, judged), options,
              weight_decay=0.01)  # fmt: skip
    score("validation, best", model, judged)
    train.save_model(train.model_path(options), model, settings)
    draw(Path(options.folder) / "string.png", model, judged[0][0])
    return model


def draw(path, model, x):
    """A picture of a string: what the network reads, and what it says of every frame."""
    lengths, end = np.array([len(x)]), len(x) * STACK * 0.01
    with tg.no_grad():
        p = ops.exp(model(x[:, None], lengths)).to("numpy").numpy()[:, 0]
    (text,) = model.write(x[:, None], lengths)
    print(f"heard {text}")
    options = {"aspect": "auto", "cmap": "gray_r"}
    with train.picture(path, (9, 5), rows=2) as (spectrum, said):
        frames, count = x.reshape(-1, 40), p.shape[1]
        spectrum.imshow(frames.T, origin="lower", extent=(0, end, 0, 40), **options)
        spectrum.set(ylabel="mel band", title=f"heard: {text}")
        said.imshow(p.T, vmin=0, vmax=1, extent=(0, end, count, 0), **options)
        said.set_yticks(np.arange(count) + 0.5, ["blank", *model.words.tokens[1:]])
        said.set(xlabel="seconds")


def main():
    sizes = {"hidden": 96, "layers": 2, "dropout": 0.3, "batch": 32}
    parser = train.program_parser(__doc__, "runs/speech_recognition", **sizes)
    add = parser.add_argument
    add("--longest", type=train.positive, help="words of a string (default: 7; made up, 3)")
    add("--batches", type=train.positive, help="of an epoch (default: 100; made up, 40)")
    add("--hear", help="recording to listen to")
    options = train.parse_options(parser)
    options.epochs = options.epochs or 6
    options.longest = options.longest or (7 if options.data else 3)
    options.batches = options.batches or (100 if options.data else 40)
    model = train.load_model(options.load, Recogniser) if options.load else make(options)
    if options.hear:
        draw(Path(options.folder) / "heard.png", model, read(listen(options.hear)))
    if options.evaluate:
        score(options.evaluate, model, strings_of(options.evaluate, model))


if __name__ == "__main__":
    train.run_program(main)
