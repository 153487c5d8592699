"""Whose voice it is (many-to-one), and whether two voices are one speaker's (similarity).

    python examples/speaker.py                               made-up voices, half a minute
    python examples/speaker.py --data FOLDER --save MODEL    labels.csv, trials, recordings
    python examples/speaker.py --load MODEL --evaluate TRIALS.csv

labels.csv has the columns file, speaker and split; verification_trials_val.csv, say, has file_a,
file_b and same_speaker, 0 or 1 (and may have kind: those of a kind are scored by themselves too).
A bidirectional GRU reads the log-mel spectrum of recordings made equally loud; the largest and the
mean of its outputs over time become a vector. Loss: GE2E, a vector near the centroid of its
speaker's and far from those of others. A voice at another speed is another speaker's, so that few
speakers make many. How alike two voices are is the cosine of their vectors, in standard deviations
from each one's cosines with the nearest of the voices learnt from.
The figures: equal error rate of the trials whose recordings are new to the model; and, with each
speaker left out in turn, of the trials with a recording of that speaker. Every model is as its last
epoch leaves it. With --parts all every recording may train, not just those of split train.
"""

from __future__ import annotations

import numpy as np

import tinygrad_seq as tg
from tinygrad_seq import data, nn, train
from tinygrad_seq.data import audio, features

RATE, SPEEDS = 8000, (0.85, 1.0, 1.15)
LONGEST = 100  # frames, of 10 ms, of a recording that a batch has
COHORT = 100  # recordings of each speaker that scores are measured by


def hear(signal):
    """The log-mel spectrum of a signal, whose level does not count: (T, 40), every 10 ms."""
    return features.log_mel(audio.level(signal), RATE, mels=40, floor=1e-4)


class SpeakerModel(nn.Module):
    """A vector for each voice: spectra x (T, B, 40), lengths (B,) -> (B, E).

    mean, deviation: of each band in the training recordings
    cohort (S, N, E): vectors of N recordings of each speaker learnt from, of length 1
    """

    def __init__(self, speakers, mean, deviation, cohort, hidden, embedding):
        self.speakers = speakers
        self.mean, self.deviation = features.check_statistics(mean, deviation)
        self.recurrent = nn.GRU(len(mean), hidden, bidirectional=True)
        self.output = nn.Linear(4 * hidden, embedding)
        self.criterion = nn.GE2E()
        empty = np.zeros((len(speakers), cohort, embedding), np.float32)
        self.cohort = nn.Parameter(empty, requires_grad=False)

    def forward(self, x, lengths):
        """Vectors of the voices."""
        h, _ = self.recurrent(tg.tensor((x - self.mean) / self.deviation), lengths=lengths)
        return self.output(nn.max_and_mean(h, lengths))

    def vectors(self, spectra):
        """Vectors of length 1, (N, E)."""
        found = train.predict(self, spectra)
        return found / np.linalg.norm(found, axis=1, keepdims=True)


def learn(options, heard, names):
    """A model of voices heard at every speed, and its settings; names: of their speakers."""
    own = data.groups_of(names)
    mean, deviation = features.column_statistics([x for versions in heard for x in versions])
    settings = train.settings_of(options, "hidden", "embedding")
    settings |= {"mean": mean.tolist(), "deviation": deviation.tolist(), "speakers": list(own)}
    settings["cohort"] = min(COHORT, *map(len, own.values()))
    model, size = SpeakerModel(**settings), options.batch

    def make_batch(random, _):
        places = ((i, v) for v in range(len(SPEEDS)) for i in data.draw_of_each(own, size, random))
        return data.pad_sequences([features.crop(heard[i][v], LONGEST, random) for i, v in places])

    def loss(batch, _):
        return model.criterion(model(*batch).reshape(-1, size, options.embedding)), None

    batches = data.GeneratedBatches(make_batch, options.batches, options.seed)
    train.fit(model, loss, batches, None, options, weight_decay=1e-4)
    cohort = [heard[i][SPEEDS.index(1.0)] for i in data.spread_of_each(own, settings["cohort"])]
    vectors = model.vectors(cohort).reshape(model.cohort.shape)
    model.load_state_dict({**model.state_dict(), "cohort": vectors})
    return model, settings


def score(title, model, spectra, trials):
    """Equal error rate of the trials, printed; spectra: of the recordings, by name."""
    a, b = (model.vectors([spectra[trial[side]] for trial in trials]) for side in (1, 2))
    known = model.cohort.to("numpy").numpy().reshape(-1, a.shape[1])
    alike = train.metrics.normalized_cosines(a, b, known, max(len(known) // 8, 2))
    rate = train.metrics.equal_error_rate(alike, [trial.same for trial in trials])
    print(f"{title}: equal error rate {rate:.1%} of {len(trials):,} trials", flush=True)
    return rate


def make(options):
    """A model of all speakers, saved, after each was left out once to see what that costs."""
    if options.data:
        recordings = data.read_recordings(options.data, RATE, ("speaker", "split"))
        trials = data.read_trials(options.data, [r.values["file"] for r in recordings])
    else:
        recordings = data.voices.different_speakers(np.random.default_rng(0))
        trials = data.all_trials(data.of_split(recordings, "val"))
    speaker = {r.values["file"]: r.values["speaker"] for r in recordings}
    spectra = {r.values["file"]: hear(r.signal) for r in recordings}
    taught = recordings if options.parts == "all" else data.of_split(recordings, "train")
    heard = [[hear(features.change_speed(r.signal, v)) for v in SPEEDS] for r in taught]
    names, rates = [r.values["speaker"] for r in taught], []
    about = data.trials_about(trials, speaker, sorted(set(names)))
    for name, others, _ in data.leave_one_out(names):
        part = [heard[i] for i in others], [names[i] for i in others]
        model, _ = learn(train.in_folder(options, f"without {name}"), *part)
        rates.append(score(f"without {name}", model, spectra, about[name]))
    model, settings = learn(options, heard, names)
    train.save_model(train.model_path(options), model, settings)
    print(f"each speaker left out in turn: equal error rate {np.mean(rates):.1%}, the mean")
    new = sorted(speaker.keys() - {r.values["file"] for r in taught}, key=lambda f: (speaker[f], f))
    trials = [t for t in trials if {t.first, t.second} <= set(new)]
    if len({t.same for t in trials}) == 2:
        vectors, right = model.vectors([spectra[f] for f in new]), [speaker[f] for f in new]
        nearest = (vectors @ model.cohort.to("numpy").numpy().mean(axis=1).T).argmax(axis=1)
        share = train.metrics.accuracy([model.speakers[i] for i in nearest], right)
        print(f"who it is, of {len(model.speakers)} speakers: {share:.1%} of {len(new)} recordings")
        train.similarity_picture(f"{options.folder}/alike.png", vectors, right)
        score("speakers learnt from, new recordings", model, spectra, trials)
    return model


def main():
    parser = train.program_parser(__doc__, "runs/speaker", epochs=(10, 2), hidden=64)
    parser.set_defaults(lr=3e-3)
    add = parser.add_argument
    add("--embedding", type=train.positive, default=64, help="width of a vector (default: 64)")
    add("--batch", type=train.positive, default=4, help="recordings of a speaker (default: 4)")
    add("--batches", type=train.positive, default=20, help="an epoch (default: 20)")
    add("--parts", choices=("train", "all"), default="train", help="what trains (default: train)")
    options = train.parse_options(parser)
    model = train.load_model(options.load, SpeakerModel) if options.load else make(options)
    if options.evaluate:
        trials = data.read_trials(options.evaluate)
        signals = data.trial_signals(options.evaluate, trials, RATE)
        spectra = {name: hear(signal) for name, signal in signals.items()}
        for kind, part in data.trials_by_kind(trials).items():
            score(f"{options.evaluate}, {kind}", model, spectra, part)
        score(options.evaluate, model, spectra, trials)


if __name__ == "__main__":
    train.run_program(main)
