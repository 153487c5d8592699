"""The tone of a comment (many-to-one): positive, negative, ambiguous, neutral; several may apply.

    python examples/sentiment.py                               made-up reviews, half a minute
    python examples/sentiment.py --data FOLDER --save MODEL    train.tsv, dev.tsv, labels.tsv
    python examples/sentiment.py --load MODEL --evaluate FILE  score other comments
    python examples/sentiment.py --load MODEL --say "What a lovely day!"

A line is text, a tab, and the numbers of its emotions with commas between; labels.tsv says to which
group an emotion belongs. A bidirectional LSTM reads the words; the largest and the mean of its
outputs over time give one logit for each group. Loss: binary cross-entropy of the four.
The figure: macro F1, the mean over the groups of 2 P R / (P + R), each said where σ(logit) > 0.5.
"""

from __future__ import annotations

import random

import numpy as np

import tinygrad_seq as tg
from tinygrad_seq import data, nn, ops, train


class SentimentModel(nn.Module):
    """Logits of the groups: ids (T, B), lengths (B,) -> (B, G).

    vocabulary: as Vocabulary.to_dict gives it;  groups: of each emotion, by its number
    """

    def __init__(self, vocabulary, groups, embedding, hidden, dropout):
        self.vocabulary = data.Vocabulary.from_dict(vocabulary)
        self.groups, self.names = groups, sorted(set(groups.values()))
        self.embedding = nn.Embedding(len(self.vocabulary), embedding)
        self.dropout = nn.Dropout(dropout)
        self.recurrent = nn.LSTM(embedding, hidden, bidirectional=True)
        self.output = nn.Linear(4 * hidden, len(self.names))

    def forward(self, ids, lengths):
        """Logits of the groups."""
        x = self.dropout(self.embedding(tg.tensor(ids)))
        h, _ = self.recurrent(x, lengths=lengths)
        return self.output(self.dropout(nn.max_and_mean(h, lengths)))

    def encode(self, text):
        """Ids (T,) of a comment's words, at least one."""
        words = data.words(text, lower=True)
        return self.vocabulary.encode(words) if words else np.array([self.vocabulary.unk])

    def targets(self, emotions):
        """1 for every group that an emotion of the list belongs to, else 0: (G,)."""
        found = {self.groups[emotion] for emotion in emotions}
        return np.array([name in found for name in self.names], dtype=np.float32)


def made_up_comments(number=2400):
    """Reviews of a phone: a word that tells, sometimes turned round by "not"."""
    choose = random.Random(0).choice
    tone = {"0": "great lovely fast bright solid", "1": "awful slow dim broken ugly"}
    comments = []
    for _ in range(number):
        parts, emotions = [], set()
        for _ in range(choose((1, 1, 2))):
            emotion, turned = choose("01"), choose((True, False, False))
            word = choose(tone[emotion].split())
            parts.append(f"the {choose(['screen', 'battery', 'case'])} is {'not ' * turned}{word}")
            emotions.add(str(int(emotion) ^ turned))
        comments.append((" and ".join(parts), sorted(emotions)))
    return comments, {"0": "positive", "1": "negative"}


def batches_of(model, comments, size, shuffle=True):
    """Batches of ids, lengths and rows of the targets."""
    ids = [model.encode(text) for text, _ in comments]
    rows = np.arange(len(comments))
    targets = np.array([model.targets(emotions) for _, emotions in comments])
    return data.PaddedBatches(ids, size, targets=rows, shuffle=shuffle, bucket=16), targets


def score(title, model, comments):
    """Macro F1 of what is said."""
    model.eval()
    batches, targets = batches_of(model, comments, 256, shuffle=False)
    said = np.empty(targets.shape, dtype=bool)
    with tg.no_grad():
        for ids, lengths, rows in batches:
            said[rows] = model(ids, lengths).to("numpy").numpy() > 0
    figure = train.metrics.macro_f1(said, targets > 0)
    print(f"{title}: macro F1 {figure:.4f}", flush=True)
    return figure


def make(options):
    """A model trained on the comments of --data, and saved."""
    made, groups = made_up_comments()
    comments, dev = made[400:], made[:400]
    if options.data:
        comments, dev, groups = data.read_labelled_folder(options.data)
    tokens = (word for text, _ in comments for word in data.words(text, lower=True))
    vocabulary = data.Vocabulary.build(tokens, min_count=options.min_count)
    settings = train.settings_of(options, "embedding", "hidden", "dropout")
    settings |= {"vocabulary": vocabulary.to_dict(), "groups": groups}
    model = SentimentModel(**settings)
    print(f"{len(comments):,} comments, {len(vocabulary):,} words, validation on {len(dev):,}",
          model, sep="\n")  # fmt: skip
    batches, targets = batches_of(model, comments, options.batch)

    def loss(batch, _):
        ids, lengths, rows = batch
        return ops.binary_cross_entropy_with_logits(model(ids, lengths), targets[rows]), None

    train.fit(model, loss, batches, lambda: -score("validation", model, dev), options,
              weight_decay=0.01)  # fmt: skip
    score("validation, best", model, dev)
    train.save_model(train.model_path(options), model, settings)
    for text, _ in dev[:3]:
        judge(model, text)
    return model


def judge(model, text):
    """Prints a comment, and the probability of every group."""
    ids = model.encode(text)
    with tg.no_grad():
        p = ops.sigmoid(model(ids[:, None], np.array([len(ids)])))[0].to("numpy").numpy()
    groups = ", ".join(f"{name} {x:.2f}" for name, x in zip(model.names, p, strict=True))
    print(f"{text} -> {groups}")


def main():
    sizes = {"embedding": 128, "hidden": 128, "dropout": 0.5, "batch": 64, "min_count": 2}
    parser = train.program_parser(__doc__, "runs/sentiment", epochs=4, **sizes)
    add = parser.add_argument
    add("--say", help="a comment to judge")
    options = train.parse_options(parser, "say")
    model = train.load_model(options.load, SentimentModel) if options.load else make(options)
    if options.say:
        judge(model, options.say)
    if options.evaluate:
        comments = data.read_labelled(options.evaluate, model.groups)
        score(options.evaluate, model, comments)


if __name__ == "__main__":
    train.run_program(main)
