"""Vectors that the tests of tinygrad_seq.word2vec share."""

import numpy as np
import pytest

from tinygrad_seq.word2vec import WordVectors


@pytest.fixture
def wv():
    """50 words in 7 dimensions: rows are a view of padded memory, as the trainer's are."""
    memory = np.full((50, 16), np.nan, dtype=np.float32)
    memory[:, :7] = np.random.default_rng(0).normal(size=(50, 7))
    words = ["king", "Queen", "été", *(f"word{i}" for i in range(3, 50))]
    return WordVectors(words, memory[:, :7], counts=range(50, 0, -1))


@pytest.fixture
def people():
    """Vectors in which differences mean what they should: gender, royalty, food."""
    rows = {
        "man": (-1, 0.01, 0),
        "woman": (1, 0.02, 0.02),
        "king": (-0.95, 1, 0),
        "queen": (0.97, 0.95, 0.03),
        "apple": (0, -0.01, 0.95),
        "orange": (0.01, 0, 0.97),
        "prince": (-0.9, 0.8, -0.3),
    }
    return WordVectors(rows, list(rows.values()))
