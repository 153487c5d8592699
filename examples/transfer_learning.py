"""Transfer learning: word vectors learnt from unlabelled text help where labels are few.

    python examples/transfer_learning.py                       a small made-up set, seconds
    python examples/transfer_learning.py --data FOLDER         GoEmotions, and its texts as corpus
    python examples/transfer_learning.py --data FOLDER --vectors GLOVE.txt --no-header
    python examples/transfer_learning.py --load MODEL --evaluate FILE

FOLDER has train.tsv and dev.tsv (plain or gzip), lines "text<TAB>labels", and labels.tsv with the
columns id and group: a text counts as positive or negative if all its labels are of that group.
The model is the mean of a text's word vectors, and a line through them; it is trained on a few
texts, once with vectors from word2vec, once with random ones, and judged on all of dev.tsv. The
figure: share of such texts judged right. The last model, of learnt vectors left alone, is saved.
"""

from __future__ import annotations

import itertools
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
    """Labelled texts to train on and to judge by, a corpus without labels, the labels' classes."""
    choice = random.Random(seed).choice
    labelled, dev = ([made_up(choice) for _ in range(n)] for n in (500, 1000))
    corpus = []
    for _ in range(4000):
        text, label = made_up(choice)
        corpus.append(data.words(f"{text} {choice(COMPANY[label])}"))
    return labelled, dev, corpus, dict(zip("01", CLASSES, strict=True))


def of_one_class(texts, groups):
    """(text, class) of those texts whose labels are all of the class."""
    found = [(text, {groups[label] for label in labels}) for text, labels in texts]
    return [(text, CLASSES.index(group)) for text, (group, *more) in found
            if group in CLASSES and not more]  # fmt: skip


def read_texts(folder):
    """Labelled texts to train on and to judge by, the corpus of all texts, the labels' groups."""
    groups = data.read_groups(data.part_of(folder, "labels.tsv"))
    files = (data.part_of(folder, name) for name in ("train.tsv", "dev.tsv"))
    texts, dev = (data.read_labelled(file, groups) for file in files)
    corpus = [data.words(text, lower=True) for text, _ in texts]
    return of_one_class(texts, groups), of_one_class(dev, groups), corpus, groups


class MeanOfVectors(nn.Module):
    """Logits (B, 2) of texts: ids (T, B), lengths (B,).

    vocabulary: as Vocabulary.to_dict gives it;  groups: of each label;  embedding: None for one
    whose vectors are loaded afterwards
    """

    def __init__(self, vocabulary, groups, width, embedding=None):
        self.vocabulary, self.groups = data.Vocabulary.from_dict(vocabulary), groups
        loaded = embedding is None
        self.embedding = nn.Embedding(len(self.vocabulary), width) if loaded else embedding
        self.dropout = nn.Dropout(0.3)
        self.output = nn.Linear(width, len(CLASSES))

    def forward(self, ids, lengths):
        """The padding's vector is 0, so that a sum over time is one over the words."""
        sums = self.embedding(ids).sum(axis=0)  # (B, D)
        return self.output(self.dropout(sums / tg.tensor(np.maximum(lengths, 1)[:, None])))

    def batch(self, texts):
        """Ids, lengths and classes of (text, class)."""
        ids = [self.vocabulary.encode(data.words(text, lower=True)) for text, _ in texts]
        padded, lengths = data.pad_sequences(ids, pad=self.vocabulary.pad)
        return tg.tensor(padded), lengths.astype(np.float32), np.array([y for _, y in texts])


def fit(model, texts, options):
    """Nothing; trains the model on all of a few texts at once."""
    optimizer = optim.Adam(model.parameters(), lr=options.lr)
    ids, lengths, labels = model.batch(texts)
    for _ in range(options.epochs):
        loss = ops.cross_entropy(model(ids, lengths), tg.tensor(labels))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def accuracy(model, texts):
    """Share of texts that the model is right on."""
    model.eval()
    ids, lengths, labels = model.batch(texts)
    with tg.no_grad():
        logits = model(ids, lengths).to("numpy").numpy()
    return train.metrics.accuracy(logits.argmax(axis=1), labels)


def compare(options, wv, labelled, dev, groups):
    """Prints the accuracy with learnt and with random vectors, mean and deviation over trials."""
    words = (word for text, _ in labelled for word in data.words(text, lower=True))
    tokens = dict.fromkeys([*wv.words, *words])
    vocabulary = data.Vocabulary(tokens, specials=("<pad>", "<unk>"))
    settings = {"vocabulary": vocabulary.to_dict(), "groups": groups, "width": wv.vectors.shape[1]}
    for kind, frozen in itertools.product(("random", "learnt"), (False, True)):
        scores = []
        for trial in range(options.seed, options.seed + options.trials):
            tg.manual_seed(trial)
            few = random.Random(trial).sample(labelled, options.examples)
            vectors = wv if kind == "learnt" else noise(wv, trial)
            embedding = nn.Embedding.from_pretrained(vectors, vocabulary, frozen, sparse=True)
            model = MeanOfVectors(**settings, embedding=embedding)
            fit(model, few, options)
            scores.append(accuracy(model, dev))
        how = "frozen" if frozen else "trained too"
        deviation = statistics.stdev(scores) if len(scores) > 1 else 0.0
        print(f"{kind} vectors, {how}: {statistics.mean(scores):.1%} right "
              f"(deviation {deviation:.1%} over {len(scores)} trials)", flush=True)  # fmt: skip
    train.save_model(train.model_path(options), model, settings)
    return model


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


def make(options):
    """The last model of the comparison."""
    parts = read_texts(options.data) if options.data else built_in(options.seed)
    labelled, dev, corpus, groups = parts
    if not dev or len(labelled) < options.examples:
        raise ValueError(
            f"{len(labelled)} texts to train on, {len(dev)} to judge by, expected more"
        )
    wv = vectors_of(options, corpus)
    most = max(statistics.mean(y for _, y in dev), 1 - statistics.mean(y for _, y in dev))
    print(f"{wv}; {options.examples} labelled texts; judged on {len(dev)}, "
          f"{most:.1%} of them of one class")  # fmt: skip
    return compare(options, wv, labelled, dev, groups)


def main():
    parser = train.plain_parser(__doc__, "runs/transfer_learning")
    add = parser.add_argument
    add("--vectors", help="word vectors (default: learnt from the texts, without their labels)")
    add("--no-header", action="store_true", help="the file of --vectors is GloVe's")
    add("--examples", type=train.positive, help="labelled texts to train on (default: 200; 20)")
    add("--trials", type=train.positive, default=5, help="each with other texts (default: 5)")
    add("--lr", type=train.above_zero, default=0.01, help="learning rate (default: 0.01)")
    add("--save", help="model file (default: model.safetensors in the folder)")
    add("--load", help="model file to use instead of training")
    add("--evaluate", metavar="FILE", help="labelled texts to score")
    options = train.parse_options(parser)
    options.examples = options.examples or (200 if options.data else 20)
    options.epochs = options.epochs or 100
    model = train.load_model(options.load, MeanOfVectors) if options.load else make(options)
    if options.evaluate:
        texts = of_one_class(data.read_labelled(options.evaluate, model.groups), model.groups)
        if not texts:
            raise ValueError(f"{options.evaluate}: no texts that are all positive or all negative")
        print(f"{options.evaluate}: {accuracy(model, texts):.1%} of {len(texts)} right")


if __name__ == "__main__":
    train.run_program(main)
