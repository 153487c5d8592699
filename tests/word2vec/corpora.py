"""Small corpora of ids for tests of training."""

import numpy as np

from tinygrad_seq.word2vec import definition


def ids_corpus(lengths=(1, 40, 2, 1500, 300, 1, 7), words=60, sample=0.05, exponent=0.75, seed=3):
    """Sentences of random words, the first ones the commonest; some of one word, one long."""
    rng = np.random.default_rng(seed)
    share = 1 / (1 + np.arange(words))
    ids = rng.choice(words, sum(lengths), p=share / share.sum()).astype(np.int32)
    counts = np.bincount(ids, minlength=words) + 1
    return definition.Corpus(
        ids,
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        definition.keep_chances(counts, sample),
        definition.alias_table(counts**exponent),
    )


def vectors(words, width, seed=1, scale=0.3):
    """Input and output vectors (words, width), neither of them 0."""
    rng = np.random.default_rng(seed)
    return [rng.normal(0, scale, (words, width)).astype(np.float32) for _ in range(2)]
