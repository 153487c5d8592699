"""Word vectors: words that stand in the same contexts come to lie in the same directions.

    python examples/word_vectors.py                                   a small made-up world, seconds
    python examples/word_vectors.py --data TEXT --words "king queen"  a text of a sentence a line
    python examples/word_vectors.py --load VECTORS --evaluate FILE    score its analogies
    python examples/word_vectors.py --load GLOVE.txt --no-header --words "king queen apple"

Skip-gram or CBOW (Mikolov et al. 2013) with negative sampling. Prints neighbours, analogies and the
lecture's table of correlations, and draws the words as a map. --load takes what --save wrote, and
word2vec's formats: .bin, .txt, .vec; --evaluate a file of analogies, four words a line, in sections
that begin with ": name".
"""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np

from tinygrad_seq import train
from tinygrad_seq.data import synthetic
from tinygrad_seq.word2vec import Word2Vec, WordVectors, correlation_table, open_vectors

SHOWN = "king queen prince princess man woman apple orange france paris italy rome japan tokyo"
"""Words of the built-in world to show and draw."""
SAME = ("architecture", "window", "negative", "sample", "min_count", "epochs", "seed")
SETTINGS = {"width": "vector_size", **{name: name for name in SAME}, "lr": "alpha"}
"""Options that --resume cannot change, and what Word2Vec calls them."""


def begun(checkpoint, model):
    """The model that a checkpoint holds, trained so far as this one is to be.

    Raises ValueError where it was trained otherwise, OSError where there is none.
    """
    found = Word2Vec.load(checkpoint)
    now, was = ({o: getattr(m, name) for o, name in SETTINGS.items()} for m in (model, found))
    train.check_unchanged(checkpoint, now, was)
    print(f"resumed after epoch {found.epoch}")
    return found


def make(options):
    """A model trained on --data or the made-up world, and saved, as are its vectors."""
    path = train.model_path(options, "vectors.safetensors")
    checkpoint = Path(options.folder) / "checkpoint.safetensors"
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    corpus = options.data or list(synthetic.world(random.Random(options.seed), 6000))
    settings = {name: getattr(options, option) for option, name in SETTINGS.items()}
    model = Word2Vec(**settings, backend=options.backend, workers=options.workers)
    if options.resume:
        model = begun(checkpoint, model)

    def after_epoch(model):
        if model.epoch % max(1, options.epochs // 5) == 0:
            print(f"epoch {model.epoch}: loss {model.loss_history[-1]:.4f} nats a pair", flush=True)
        model.save(checkpoint)

    model.fit(corpus, callbacks=[after_epoch], resume=options.resume)
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
    parser = train.plain_parser(__doc__, "runs/word_vectors", epochs=(5, 30))
    add, by_data = parser.add_argument, train.ByData
    kinds, default = ("skipgram", "cbow"), "(default: %(default)s)"
    add("--architecture", choices=kinds, default="skipgram", help=default)
    add("--width", type=train.positive, default=by_data(100, 40), help=f"of a vector {default}")
    add("--window", type=train.positive, default=5, help="words on either side (default: 5)")
    add("--negative", type=train.positive, default=5, help="negative samples (default: 5)")
    add("--min-count", type=train.positive, default=by_data(5, 1),
        help=f"leave out rarer words {default}")  # fmt: skip
    add("--sample", type=float, default=by_data(1e-3, 0.0),
        help=f"leave out at random words commoner than this {default}")  # fmt: skip
    add("--lr", type=train.above_zero, help="at the start (default: 0.025 skip-gram, 0.07 CBOW)")
    add("--workers", type=train.count, default=None, help="threads (default: all)")
    add("--no-header", action="store_true", help="the file of --load is GloVe's")
    add("--words", help="to show and draw (default: of the built-in world, else the commonest)")
    return train.parse_options(parser)


def main():
    options = parse()
    built_in = not (options.data or options.load)
    wv = open_vectors(options.load, options.no_header) if options.load else make(options)
    print(wv)
    shown = SHOWN.split() if built_in else wv.words[:30]
    if options.words is not None:
        shown = options.words.split()
    unknown = [word for word in shown if word not in wv]
    if unknown or not shown:
        raise ValueError(f"--words: the vectors lack {unknown}" if shown else "--words is empty")
    folder = Path(options.folder)
    folder.mkdir(parents=True, exist_ok=True)
    show(wv, shown)
    wv.save_map(folder / "map.png", shown)
    print(f"map: {folder / 'map.png'}")
    if built_in:
        (folder / "questions.txt").write_text(synthetic.world_analogies())
        judge(wv, folder / "questions.txt")
    if options.evaluate:
        judge(wv, options.evaluate)


if __name__ == "__main__":
    train.run_program(main)
