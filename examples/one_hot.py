"""Words without learning: one-hot vectors, and vectors of chosen features.

    python examples/one_hot.py          the lecture's sentences and its table of features

Word i of V is x = (0, ..., 1, ..., 0), 1 at place i: any two such vectors are orthogonal, so that
they say nothing of what words have in common. Vectors of features do; word_embeddings.py learns
such vectors from a text.
"""

from __future__ import annotations

import argparse

import numpy as np

from tinygrad_seq import data, ops, train
from tinygrad_seq.word2vec import WordVectors, correlation_table

SENTENCES = ("The dog chases the cat.", "A bird flies over the dog.",
             "The mouse hides from the cat.", "The cat watches the fish swim.")  # fmt: skip
NAMES = ("gender", "royalty", "age", "food")
FEATURES = {
    "man": (-1.00, 0.01, 0.02, -0.01), "woman": (1.00, 0.02, 0.03, 0.02),
    "king": (-0.95, 1.00, 0.71, -0.02), "queen": (0.97, 0.9, 0.68, 0.03),
    "apple": (0.01, -0.01, 0.05, 0.81), "orange": (0.02, 0.08, 0.05, 0.75),
}  # fmt: skip


def show_one_hot():
    """Prints the one-hot vectors of the sentences' words."""
    tokens = data.words(" ".join(SENTENCES).replace(".", ""), lower=True)
    vocabulary = data.Vocabulary(sorted(set(tokens)), specials=())
    print(f"one-hot vectors of the {len(vocabulary)} words of: {' '.join(SENTENCES)}")
    x = ops.one_hot(np.arange(len(vocabulary)), len(vocabulary))
    for word, row in zip(vocabulary, x.astype(int).tolist(), strict=True):
        print(f"{word:>8} {row}")
    print("any two are orthogonal; e = E x picks a column of E, an embedding\n")


def show_features():
    """Prints the features, the correlations of words with such vectors, and two differences."""
    print("vectors of four features, and the correlations of words with such vectors:")
    print(f"{'':>12}", *(f"{word:>7}" for word in FEATURES))
    table = np.array(list(FEATURES.values()), np.float32)
    for name, row in zip(NAMES, table.T, strict=True):
        print(f"{name:>12}", *(f"{value:7.2f}" for value in row))
    features = WordVectors(list(FEATURES), table)
    print(correlation_table(features, features.words, nearest=3))
    for one, other in (("man", "woman"), ("king", "queen")):
        print(f"{one} - {other} = {np.round(features[one] - features[other], 2)}")
    print()


def main():
    form = argparse.RawDescriptionHelpFormatter
    argparse.ArgumentParser(description=__doc__, formatter_class=form).parse_args()
    show_one_hot()
    show_features()


if __name__ == "__main__":
    train.run_program(main)
