"""Word vectors: words that stand in the same contexts come to lie in the same directions.

    python examples/word_vectors.py                                   a small made-up world, seconds
    python examples/word_vectors.py --data TEXT --words "king queen"  a text of a sentence a line
    python examples/word_vectors.py --load VECTORS --evaluate FILE    score its analogies
    python examples/word_vectors.py --load GLOVE.txt --no-header --words "king queen apple"

Skip-gram or CBOW (Mikolov et al. 2013) with negative sampling. Prints neighbours, analogies and the
lecture's table of correlations, and draws the words as a map.
"""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import numpy as np

from tinygrad_seq import train
from tinygrad_seq.word2vec import Word2Vec, WordVectors, correlation_table, open_vectors

SMALL = {"width": 40, "min_count": 1, "epochs": 30, "sample": 0.0}  # for the built-in world
LARGE = {"width": 100, "min_count": 5, "epochs": 5, "sample": 1e-3}  # for a file

PEOPLE = {  # (he, she): what such people do
    ("king", "queen"): ("wears the crown", "rules the land", "sits on the throne"),
    ("prince", "princess"): ("will get the crown", "lives in the castle", "learns to rule"),
    ("man", "woman"): ("goes to work", "pays the rent", "drives a car"),
    ("boy", "girl"): ("goes to school", "plays with a ball", "is small"),
    ("father", "mother"): ("has two children", "tells stories at night", "cooks for the family"),
    ("actor", "actress"): ("learns the part", "stands on the stage", "is in a film"),
}
GENDERS = (
    ("shaves his beard", "his wife", "he is a gentleman", "he himself"),
    ("braids her hair", "her husband", "she is a lady", "she herself"),
)
PLACES = {  # country: capital, language, what one eats, a river
    "france": ("paris", "french", "croissants", "seine"),
    "italy": ("rome", "italian", "pasta", "tiber"),
    "japan": ("tokyo", "japanese", "sushi", "sumida"),
    "egypt": ("cairo", "arabic", "beans", "nile"),
    "germany": ("berlin", "german", "bread", "spree"),
    "england": ("london", "english", "pudding", "thames"),
}
CAPITALS = [(country, known_for[0]) for country, known_for in PLACES.items()]
COUNTRY = ("the borders of {}", "the flag of {}", "the army of {}", "the farmers of {}")
CAPITAL = ("the streets of {}", "the mayor of {}", "the airport of {}", "the trams of {}")
FRUIT = ("apple", "orange", "pear", "plum")


def world(random, sentences=6000):
    """Sentences (lists of words) of a world in which every word has its usual company."""
    for _ in range(sentences):
        kind = random.random()
        if kind < 0.5:
            pair, deeds = random.choice(list(PEOPLE.items()))
            gender = random.randrange(2)
            parts = [random.choice(deeds), random.choice(GENDERS[gender])]
            random.shuffle(parts)
            text = f"{parts[0]} {pair[gender]} {parts[1]}"
        elif kind < 0.9:
            country, (capital, *known_for) = random.choice(list(PLACES.items()))
            place, roles = random.choice(((country, COUNTRY), (capital, CAPITAL)))
            text = f"{random.choice(roles).format(place)} {random.choice(known_for)}"
        else:
            text = f"the {random.choice(FRUIT)} is ripe and sweet on the tree"
        yield text.split()


def questions():
    """The analogies of the made-up world, as a file of them has it."""
    lines = []
    for name, section in {"gender": list(PEOPLE), "capitals": CAPITALS}.items():
        lines.append(f": {name}")
        lines += [" ".join(a + b) for a, b in itertools.permutations(section, 2)]
    return "\n".join(lines) + "\n"


def make(options):
    """A model trained on --data or the made-up world, and saved, as are its vectors."""
    folder = Path(options.folder)
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = folder / "checkpoint.safetensors"
    corpus = options.data or list(world(random.Random(options.seed)))
    resume = options.resume and checkpoint.exists()
    if resume:
        model = Word2Vec.load(checkpoint)
        print(f"resumed after epoch {model.epoch}")
    else:
        model = Word2Vec(
            vector_size=options.width, window=options.window, architecture=options.architecture,
            negative=options.negative, sample=options.sample, min_count=options.min_count,
            alpha=options.lr, epochs=options.epochs, seed=options.seed, backend=options.backend,
            workers=options.workers,
        )  # fmt: skip

    def after_epoch(model):
        if model.epoch % max(1, options.epochs // 5) == 0:
            print(f"epoch {model.epoch}: loss {model.loss_history[-1]:.4f} nats a pair", flush=True)
        model.save(checkpoint)

    model.fit(corpus, callbacks=[after_epoch], resume=resume)
    path = options.save or folder / "vectors.safetensors"
    model.vectors.save(path)
    print(f"vectors: {path}")
    return model.vectors


def show(wv, words):
    """Prints neighbours, and the lecture's table for one-hot and for learnt vectors."""
    for word in words[:: max(1, len(words) // 5)][:5]:
        near = ", ".join(f"{w} {cosine:.2f}" for w, cosine in wv.most_similar(word, topn=5))
        print(f"near {word}: {near}")
    shown = words[:8]
    one_hot = WordVectors(shown, np.eye(len(shown), len(wv), dtype=np.float32))
    for name, vectors in (("one-hot", one_hot), ("learnt", wv)):
        print(f"{name} vectors", correlation_table(vectors, shown), sep="\n")


def judge(wv, path):
    """Prints the share of a file's analogies that the vectors answer right."""
    for section in wv.evaluate_word_analogies(path)[1]:
        right, wrong = len(section["correct"]), len(section["incorrect"])
        if right + wrong:
            print(f"analogies, {section['section']}: {right} of {right + wrong} right, "
                  f"{right / (right + wrong):.1%}")  # fmt: skip


def parse():
    parser = train.plain_parser(__doc__, "runs/word_vectors")
    add = parser.add_argument
    kinds = ("skipgram", "cbow")
    add("--architecture", choices=kinds, default="skipgram", help="(default: skipgram)")
    add(
        "--width", type=train.positive, help="of a vector (default: 100; 40 for the built-in world)"
    )
    add("--window", type=train.positive, default=5, help="words on either side (default: 5)")
    add("--negative", type=train.positive, default=5, help="negative samples (default: 5)")
    add("--min-count", type=train.positive, help="leave out rarer words (default: 5; 1)")
    add("--sample", type=float, help="leave out at random words commoner than this (1e-3; 0: none)")
    add("--lr", type=train.above_zero, help="at the start (default: 0.025 skip-gram, 0.07 CBOW)")
    add("--workers", type=train.count, default=None, help="threads (default: all)")
    add("--resume", action="store_true", help="go on from the folder's checkpoint")
    add("--save", help="vectors file (default: vectors.safetensors in the folder)")
    add("--load", help="vectors to use instead of training (.bin, .txt, .vec: word2vec's formats)")
    add("--no-header", action="store_true", help="the file of --load is GloVe's")
    add("--evaluate", metavar="FILE", help="analogies, four words a line in ': sections'")
    add("--words", help="to show and draw (default: of the built-in world, else the commonest)")
    options = train.parse_options(parser)
    for name, value in (LARGE if options.data else SMALL).items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    return options


def main():
    options = parse()
    built_in = not (options.data or options.load)
    wv = open_vectors(options.load, options.no_header) if options.load else make(options)
    print(wv)
    shown = [*itertools.chain(*list(PEOPLE)[:3]), *FRUIT[:2], *itertools.chain(*CAPITALS[:3])]
    if options.words is not None:
        shown = options.words.split()
    elif not built_in:
        shown = wv.words[:30]
    unknown = [word for word in shown if word not in wv]
    if unknown or not shown:
        raise ValueError(f"--words: the vectors lack {unknown}" if shown else "--words is empty")
    folder = Path(options.folder)
    folder.mkdir(parents=True, exist_ok=True)
    show(wv, shown)
    wv.save_map(folder / "map.png", shown)
    print(f"map: {folder / 'map.png'}")
    if built_in:
        (folder / "questions.txt").write_text(questions())
        judge(wv, folder / "questions.txt")
    if options.evaluate:
        judge(wv, options.evaluate)


if __name__ == "__main__":
    train.run_program(main)
