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

import tinygrad_seq as tg
from tinygrad_seq import data, decode, nn, ops, train
from tinygrad_seq.data import audio, features

RATE = 8000  # samples a second
STACK = 3  # log-mel frames, 10 ms each, that the network reads at a time
BLANK = " "  # no word, unlike any transcript's


def hear(signal):
    """What the network reads of a signal, its loudest sample at 1: (T, 120)."""
    frames = features.log_mel(audio.full_scale(signal), RATE, mels=40, floor=1e-3)
    return features.stack_frames(frames, STACK)


class Recogniser(nn.Module):
    """Log-probabilities of blank and words: spectra x (T, B, 120), lengths -> (T, B, 1 + V).

    mean, deviation: of each column in the training recordings
    In training a run of at most 3 steps, and one of at most 24 columns, is hidden in each.
    """

    def __init__(self, words, mean, deviation, hidden, layers, dropout):
        self.words = data.Vocabulary([BLANK, *words], specials=())
        self.mean, self.deviation = features.check_statistics(mean, deviation)
        self.dropout = nn.Dropout(dropout)
        self.recurrent = nn.LSTM(len(mean), hidden, layers, dropout=dropout, bidirectional=True)
        self.output = nn.Linear(2 * hidden, len(self.words))

    def forward(self, x, lengths):
        """Log-probabilities of every step."""
        x = (x - self.mean) / self.deviation
        if self.training:
            x = features.mask_padded(x, lengths, 3, 24, tg.default_generator().numpy)
        h, _ = self.recurrent(tg.tensor(x), lengths=lengths)
        return ops.log_softmax(self.output(self.dropout(h)))


def batches_of(model, strings, size):
    """Batches of spectra (T, B, 120), lengths, words (S, B) and numbers of words, in order."""
    x, words = [hear(r.signal) for r in strings], data.word_ids(strings, "transcript", model.words)
    return data.PaddedBatches(x, size, outputs=words, target_pad=0, shuffle=False)


def score(title, model, strings, batches):
    """Word error rate of the strings, whose batches these are, printed."""
    with tg.no_grad():
        read = [decode.best_path(model(x, lengths), lengths) for x, lengths, *_ in batches]
    said = [" ".join(model.words.decode(path)) for paths in read for path in paths]
    right = [" ".join(string.values["transcript"].split()) for string in strings]
    figure = train.metrics.word_error_rate(said, right)
    print(f"{title}: word error rate {figure:.2%} of {len(right):,} strings", flush=True)
    return figure


def make(options):
    """A model trained on strings of the recordings of --data, and saved."""
    if options.data:
        recordings = data.read_recordings(options.data, RATE, ["digit", "speaker", "split"])
        judged = data.read_strings(Path(options.data) / "digit_strings_val.csv", RATE)
    else:
        recordings = data.voices.spoken_words(np.random.default_rng(0))
        held_out, random = data.of_split(recordings, "val"), np.random.default_rng(1)
        judged = data.draw_strings(held_out, "digit", 60, options.longest, random, RATE)
    recordings = data.of_split(recordings, "train")
    mean, deviation = features.column_statistics([hear(r.signal) for r in recordings])
    settings = train.settings_of(options, "hidden", "layers", "dropout")
    settings |= {"mean": mean.tolist(), "deviation": deviation.tolist()}
    settings |= {"words": sorted({r.values["digit"] for r in recordings})}
    model = Recogniser(**settings)
    print(f"{len(recordings):,} recordings, validation on {len(judged):,} strings", model, sep="\n")
    held_out, versions = batches_of(model, judged, 50), data.at_speeds(recordings, (0.9, 1.0, 1.1))

    def make_batch(random, _):
        strings = data.draw_strings(versions, "digit", options.batch, options.longest, random, RATE)
        return next(iter(batches_of(model, strings, options.batch)))

    def loss(batch, _):
        x, lengths, words, sizes = batch
        return ops.ctc_loss(model(x, lengths), words.T, lengths, sizes), None

    batches = data.GeneratedBatches(make_batch, options.batches, options.seed)
    train.fit(model, loss, batches, lambda: score("validation", model, judged, held_out), options,
              weight_decay=0.01)  # fmt: skip
    score("validation, best", model, judged, held_out)
    train.save_model(train.model_path(options), model, settings)
    draw(Path(options.folder) / "string.png", model, judged[0].signal)
    return model


def draw(path, model, signal):
    """A picture of a string: what the network reads, and what it says of every frame."""
    x = hear(signal)[:, None]  # (T, 1, 120)
    lengths, end = np.array([len(x)]), len(x) * STACK * 0.01
    with tg.no_grad():
        log_p = model(x, lengths)
    text = " ".join(model.words.decode(decode.best_path(log_p, lengths)[0]))
    print(f"heard {text}")
    p, look = np.exp(log_p.to("numpy").numpy()[:, 0]), {"aspect": "auto", "cmap": "gray_r"}
    with train.picture(path, (9, 5), rows=2) as (spectrum, said):
        spectrum.imshow(x.reshape(-1, 40).T, extent=(0, end, 0, 40), origin="lower", **look)
        spectrum.set(ylabel="mel band", title=f"heard: {text}")
        said.imshow(p.T, extent=(0, end, p.shape[1], 0), vmin=0, vmax=1, **look)
        places = np.arange(p.shape[1]) + 0.5
        said.set(xlabel="seconds", yticks=places, yticklabels=["blank", *model.words.tokens[1:]])


def main():
    sizes = {"hidden": 96, "layers": 2, "dropout": 0.3, "batch": 32}
    parser = train.program_parser(__doc__, "runs/speech_recognition", epochs=6, **sizes)
    add = parser.add_argument
    add("--longest", type=train.positive, default=train.ByData(7, 3),
        help="words of a string (default: %(default)s)")  # fmt: skip
    add("--batches", type=train.positive, default=train.ByData(100, 40),
        help="of an epoch (default: %(default)s)")  # fmt: skip
    add("--hear", help="recording to listen to")
    options = train.parse_options(parser, "hear")
    model = train.load_model(options.load, Recogniser) if options.load else make(options)
    if options.hear:
        draw(Path(options.folder) / "heard.png", model, data.read_signal(options.hear, RATE))
    if options.evaluate:
        strings = data.read_strings(options.evaluate, RATE)
        score(options.evaluate, model, strings, batches_of(model, strings, 50))


if __name__ == "__main__":
    train.run_program(main)
