"""Transfer learning: word vectors learnt from unlabelled text help where labels are few.

    python examples/transfer_learning.py                       a small made-up set, seconds
    python examples/transfer_learning.py --data FOLDER         GoEmotions, and its texts as corpus
    python examples/transfer_learning.py --data FOLDER --vectors GLOVE.txt --no-header

FOLDER has train.tsv and dev.tsv (plain or gzip), lines "text<TAB>labels", and labels.tsv with the
columns id and group: a text counts as positive or negative if all its labels are of that group.
The model is the mean of a text's word vectors, and a line through them; it is trained on a few
texts, once with vectors from word2vec, once with random ones, and judged on all of dev.tsv.
"""

from __future__ import annotations

import random
import statistics

import numpy as np

import tinygrad_seq as tg
from tinygrad_seq import data, nn, ops, optim, train
from tinygrad_seq.word2vec import Word2Vec, WordVectors, open_vectors

CLASSES = ("negative", "positive")
OPINIONS = (
    "awful bad boring broken cheap dull horrible nasty noisy poor rude sad slow ugly wrong",
    "bright calm clean clever excellent fine fun good great kind lovely nice quick warm wise",
)
COMPANY = (  # what stands near such words
    ("i want my money back", "never again", "what a waste of time", "i was angry"),
    ("i will come again", "tell your friends", "i was so happy", "thank you for it"),
)
THINGS = "film book meal room hotel song play game city story waiter teacher".split()  # noqa: SIM905


def made_up(choice):
    """An opinion, and its class: 0 or 1."""
    label = choice((0, 1))
    return f"the {choice(THINGS)} was {choice(OPINIONS[label].split())}", label


def built_in(seed):
    """Labelled texts to train on and to judge by, and a corpus without labels."""
    choice = random.Random(seed).choice
    labelled, dev = ([made_up(choice) for _ in range(n)] for n in (500, 1000))
    corpus = []
    for _ in range(4000):
        text, label = made_up(choice)
        corpus.append(data.words(f"{text} {choice(COMPANY[label])}"))
    return labelled, dev, corpus


def read_texts(folder):
    """Labelled texts to train on and to judge by, and the corpus of all texts."""
    groups = data.read_groups(data.part_of(folder, "labels.tsv"))
    files = (data.part_of(folder, name) for name in ("train.tsv", "dev.tsv"))
    parts = [data.read_labelled(file, groups) for file in files]
    corpus = [data.words(text, lower=True) for text, _ in parts[0]]
    labelled = [
        [(text, CLASSES.index(groups[labels[0]])) for text, labels in part
         if len({groups[label] for label in labels}) == 1 and groups[labels[0]] in CLASSES]
        for part in parts
    ]  # fmt: skip
    return *labelled, corpus


class MeanOfVectors(nn.Module):
    """Logits (B, 2) of texts: ids (T, B), lengths (B,)."""

    def __init__(self, embedding):
        self.embedding = embedding
        self.dropout = nn.Dropout(0.3)
        self.output = nn.Linear(embedding.embedding_dim, len(CLASSES))

    def forward(self, ids, lengths):
        """The padding's vector is 0, so that a sum over time is one over the words."""
        sums = self.embedding(ids).sum(axis=0)  # (B, D)
        return self.output(self.dropout(sums / tg.tensor(np.maximum(lengths, 1)[:, None])))


def accuracy(embedding, vocabulary, few, dev, options):
    """Share of `dev` that a model is right on, after training on a few texts."""
    model = MeanOfVectors(embedding)
    optimizer = optim.Adam(model.parameters(), lr=options.lr)

    def batch(texts):
        ids = [vocabulary.encode(data.words(text, lower=True)) for text, _ in texts]
        padded, lengths = data.pad_sequences(ids, pad=vocabulary.pad)
        return tg.tensor(padded), lengths.astype(np.float32), np.array([y for _, y in texts])

    ids, lengths, labels = batch(few)
    for _ in range(options.epochs):
        loss = ops.cross_entropy(model(ids, lengths), tg.tensor(labels))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    ids, lengths, labels = batch(dev)
    with tg.no_grad():
        logits = model(ids, lengths).to("numpy").numpy()
    return float((logits.argmax(axis=1) == labels).mean())


def compare(options, wv, labelled, dev):
    """Prints the accuracy with learnt and with random vectors, mean and deviation over trials."""
    words = (word for text, _ in labelled for word in data.words(text, lower=True))
    tokens = dict.fromkeys([*wv.words, *words])
    vocabulary = data.Vocabulary(tokens, specials=("<pad>", "<unk>"))
    for kind in ("learnt", "random"):
        for frozen in (True, False):
            scores = []
            for trial in range(options.seed, options.seed + options.trials):
                tg.manual_seed(trial)
                few = random.Random(trial).sample(labelled, options.examples)
                vectors = wv if kind == "learnt" else noise(wv, trial)
                embedding = nn.Embedding.from_pretrained(vectors, vocabulary, frozen, sparse=True)
                scores.append(accuracy(embedding, vocabulary, few, dev, options))
            how = "frozen" if frozen else "trained too"
            deviation = statistics.stdev(scores) if len(scores) > 1 else 0.0
            print(f"{kind} vectors, {how}: {statistics.mean(scores):.1%} right "
                  f"(deviation {deviation:.1%} over {len(scores)} trials)", flush=True)  # fmt: skip


def noise(wv, seed):
    """Random vectors as large as the learnt ones."""
    normal = np.random.default_rng(seed).normal(
        wv.vectors.mean(), wv.vectors.std(), wv.vectors.shape
    )
    return WordVectors(wv.words, normal.astype(np.float32))


def vectors_of(options, corpus):
    """The vectors of --vectors, or word2vec's of the corpus."""
    if options.vectors:
        return open_vectors(options.vectors, options.no_header)
    small = options.data is None
    model = Word2Vec(
        vector_size=30 if small else 100, window=10, min_count=1 if small else 3,
        sample=0.0 if small else 1e-4, epochs=20, seed=options.seed, progress=False,
    ).fit(corpus)  # fmt: skip
    return model.vectors


def main():
    parser = train.plain_parser(__doc__, "runs/transfer_learning")
    add = parser.add_argument
    add("--vectors", help="word vectors (default: learnt from the texts, without their labels)")
    add("--no-header", action="store_true", help="the file of --vectors is GloVe's")
    add("--examples", type=train.positive, help="labelled texts to train on (default: 200; 20)")
    add("--trials", type=train.positive, default=5, help="each with other texts (default: 5)")
    add("--lr", type=train.above_zero, default=0.01, help="learning rate (default: 0.01)")
    options = train.parse_options(parser)
    options.examples = options.examples or (200 if options.data else 20)
    options.epochs = options.epochs or 100
    labelled, dev, corpus = read_texts(options.data) if options.data else built_in(options.seed)
    if not dev or len(labelled) < options.examples:
        raise ValueError(
            f"{len(labelled)} texts to train on, {len(dev)} to judge by, expected more"
        )
    wv = vectors_of(options, corpus)
    most = max(statistics.mean(y for _, y in dev), 1 - statistics.mean(y for _, y in dev))
    print(f"{wv}; {options.examples} labelled texts; judged on {len(dev)}, "
          f"{most:.1%} of them of one class")  # fmt: skip
    compare(options, wv, labelled, dev)


if __name__ == "__main__":
    train.run_program(main)
