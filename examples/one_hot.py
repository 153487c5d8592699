"""Words without learning: one-hot vectors, and vectors of chosen features.

    python examples/one_hot.py          the lecture's sentences and its table of features

Word i of V is x = (0, ..., 1, ..., 0), 1 at place i: any two such vectors are orthogonal, so that
they say nothing of what words have in common. Vectors of features do; word_embeddings.py learns
such vectors from a text.
"""

from __future__ import annotations

import argparse

import numpy as np

from tinygrad_seq import data, train
from tinygrad_seq.data.synthetic import FEATURE_NAMES, FEATURES, SENTENCES
from tinygrad_seq.word2vec import WordVectors, correlation_table, feature_table, one_hot_table


def show_one_hot():
    """Prints the one-hot vectors of the sentences' words."""
    words = sorted({word for word in data.words(" ".join(SENTENCES), lower=True) if word != "."})
    print(f"one-hot vectors of the {len(words)} words of: {' '.join(SENTENCES)}")
    print(one_hot_table(words))
    print("any two are orthogonal; e = E x picks a column of E, an embedding\n")


def show_features():
    """Prints the features, the correlations of words with such vectors, and two differences."""
    print("vectors of four features, and the correlations of words with such vectors:")
    features = WordVectors(list(FEATURES), np.array(list(FEATURES.values()), np.float32))
    print(feature_table(features, FEATURE_NAMES))
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
