"""The emotion in a voice (many-to-one), of speakers whom the model has never heard.

    python examples/emotion.py                               made-up voices, half a minute
    python examples/emotion.py --data FOLDER --save MODEL    labels.csv and its recordings
    python examples/emotion.py --load MODEL --evaluate FOLDER

labels.csv has the columns file, emotion and speaker. A bidirectional GRU reads the log-mel
spectrum, the pitch and how sure the pitch is; the largest and the mean of its outputs over time
give one logit for each emotion. Loss: cross-entropy. Each recording is heard at three speeds, to
learn from and to judge (the mean of the three probabilities): a faster voice is also a higher and
a smaller one.
The figures: each speaker is left out in turn, a model of the others judges each of the speaker's
recordings alone, without the speaker's other ones, and all judgements are pooled: the share that is
right, and the mean over the emotions of the share of each that is found (confusion.png: which is
taken for which). Every model is as its last epoch leaves it: nothing is chosen by what it is tested
on. The model that is saved at the end has heard all speakers.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import tinygrad_seq as tg
from tinygrad_seq import data, nn, ops, train
from tinygrad_seq.data import audio, features
from tinygrad_seq.train import metrics

RATE, SPEEDS = 8000, (0.9, 1.0, 1.1)


def hear(signal):
    """32 mel bands and the melody of a signal, whose level does not count: (T, 36), every 20 ms."""
    signal = audio.level(signal)
    spectrum = features.log_mel(signal, RATE, mels=32, window=0.04, hop=0.02, floor=1e-4)
    height, sure = features.pitch(signal, RATE, window=0.04, hop=0.02).T
    voiced = sure > 0.5
    middle = np.median(height[voiced]) if voiced.any() else 0.0
    melody = np.where(voiced, [height - np.log(160.0), height - middle], 0.0)
    return np.column_stack([spectrum, melody.T, sure, voiced]).astype(np.float32)


def hear_all(recordings):
    """What is heard of every recording: a list of the spectra at each speed."""
    return [[hear(features.change_speed(r.signal, v)) for v in SPEEDS] for r in recordings]


class EmotionModel(nn.Module):
    """Logits of the emotions: what is heard x (T, B, 36), lengths (B,) -> (B, E).

    mean, deviation: of each column in the training recordings
    """

    def __init__(self, emotions, mean, deviation, hidden, dropout):
        self.emotions = data.Vocabulary(emotions, specials=())
        self.mean, self.deviation = features.check_statistics(mean, deviation)
        self.recurrent = nn.GRU(len(mean), hidden, bidirectional=True)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(4 * hidden, len(emotions))

    def forward(self, x, lengths):
        """Logits of the emotions."""
        h, _ = self.recurrent(tg.tensor((x - self.mean) / self.deviation), lengths=lengths)
        return self.output(self.dropout(nn.max_and_mean(h, lengths)))

    def judge(self, heard):
        """The emotions (N,) of recordings, each by its mean probability over the speeds."""
        logits = [train.predict(self, spectra) for spectra in zip(*heard, strict=True)]
        return np.mean(ops.softmax(np.stack(logits)), axis=0).argmax(axis=1)


def learn(options, emotions, heard, recordings):
    """A model of what was heard, and its settings."""
    spectra = [x for versions in heard for x in versions]
    mean, deviation = features.column_statistics(spectra)
    settings = train.settings_of(options, "hidden", "dropout")
    settings |= {"emotions": emotions, "mean": mean.tolist(), "deviation": deviation.tolist()}
    model = EmotionModel(**settings)
    targets = data.label_ids(recordings, "emotion", model.emotions).repeat(len(SPEEDS))
    batches = data.PaddedBatches(spectra, options.batch, targets=targets, bucket=6,
                                 seed=options.seed)  # fmt: skip

    def loss(batch, _):
        x, lengths, y = batch
        return ops.cross_entropy(model(x, lengths), tg.tensor(y)), None

    train.fit(model, loss, batches, None, options, weight_decay=0.01)
    return model, settings


def score(title, said, labels):
    """Accuracy and unweighted recall, printed."""
    right, recall = metrics.accuracy(said, labels), metrics.unweighted_recall(said, labels)
    of = f"of {len(labels):,} recordings"
    print(f"{title}: accuracy {right:.1%}, unweighted recall {recall:.1%} {of}", flush=True)


def make(options):
    """A model of all speakers, saved, after each was left out once to see what that costs."""
    if options.data:
        recordings = data.read_recordings(options.data, RATE, ("emotion", "speaker"))
    else:
        recordings = data.voices.moods(np.random.default_rng(0))
    emotions = sorted({r.values["emotion"] for r in recordings})
    labels = data.label_ids(recordings, "emotion", data.Vocabulary(emotions, specials=()))
    heard, said = hear_all(recordings), np.zeros_like(labels)
    for speaker, others, own in data.leave_one_out([r.values["speaker"] for r in recordings]):
        part = [heard[i] for i in others], [recordings[i] for i in others]
        model, _ = learn(train.in_folder(options, f"without {speaker}"), emotions, *part)
        said[own] = model.judge([heard[i] for i in own])
        score(f"without {speaker}", said[own], labels[own])
    model, settings = learn(options, emotions, heard, recordings)
    train.save_model(train.model_path(options), model, settings)
    train.confusion_picture(Path(options.folder) / "confusion.png", said, labels, emotions)
    score("each speaker left out in turn, pooled", said, labels)
    return model


def main():
    parser = train.program_parser(
        __doc__, "runs/emotion", epochs=(12, 15), hidden=64, dropout=0.5, batch=32
    )
    parser.set_defaults(lr=3e-3)
    options = train.parse_options(parser)
    model = train.load_model(options.load, EmotionModel) if options.load else make(options)
    if options.evaluate:
        recordings = data.read_recordings(options.evaluate, RATE, ["emotion"])
        labels = data.label_ids(recordings, "emotion", model.emotions)
        score(options.evaluate, model.judge(hear_all(recordings)), labels)


if __name__ == "__main__":
    train.run_program(main)
