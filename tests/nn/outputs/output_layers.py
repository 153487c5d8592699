"""Every output layer, small, in float64; and their losses written out in NumPy."""

import numpy as np
from nn_layers import host

import tinygrad_seq as tg
from tinygrad_seq import nn

V, H, K = 7, 3, 4
COUNTS = np.array([40, 9, 13, 1, 5, 2, 30])
KINDS = ("full", "sampled", "sampled_repeats", "nce", "negative", "negative_shared", "tree")
DRAWING = tuple(kind for kind in KINDS if kind not in ("full", "tree"))
SOFTMAXES = ("full", "sampled", "sampled_repeats", "nce", "tree")


def make(kind, bias=True, width=H, dtype=np.float64, seed=3):
    """An output layer of this kind, whose samples come from a generator of its own."""
    options = {"bias": bias, "dtype": dtype, "generator": tg.Generator(seed)}
    if kind == "full":
        return nn.FullSoftmax(width, V, **options)
    if kind == "tree":
        return nn.HierarchicalSoftmax(width, nn.HuffmanTree(COUNTS), **options)
    if kind.startswith("sampled"):
        unique = kind == "sampled"
        return nn.SampledSoftmax(width, nn.LogUniformSampler(V), K, unique=unique, **options)
    if kind == "nce":
        return nn.NCE(width, nn.UnigramSampler(COUNTS), K, **options)
    shared = kind == "negative_shared"
    return nn.NegativeSampling(width, nn.UnigramSampler(COUNTS), K, shared=shared, **options)


def classes(*shape, seed=0):
    """Classes in an array."""
    return np.random.default_rng([seed, *shape]).integers(0, V, shape)


def log_sigmoid(x):
    return -np.log1p(np.exp(-x))


def log_uniform(c):
    """P(c) of the log-uniform sampler."""
    return np.log((c + 2) / (c + 1)) / np.log(V + 1)


def unigram(c, exponent=0.75):
    return COUNTS[c] ** exponent / (COUNTS**exponent).sum()


def losses(kind, layer, hidden, targets, negatives=None, tries=None):
    """The losses (N,) of one layer, target by target, in plain NumPy. negatives (N, K)"""
    weight, bias = host(layer.weight), host(layer.bias)
    found = []
    for n, (h, t) in enumerate(zip(hidden, targets, strict=True)):
        s = weight @ h + bias
        if kind == "full":
            found.append(np.log(np.exp(s).sum()) - s[t])
        elif kind.startswith("sampled"):
            p = log_uniform(np.arange(V))
            s -= np.log(K * p if tries in (None, K) else 1 - (1 - p) ** tries)
            others = [np.exp(s[c]) for c in negatives[n] if c != t]
            found.append(np.log(np.exp(s[t]) + sum(others)) - s[t])
        elif kind == "nce":
            s -= np.log(K * unigram(np.arange(V)))
            found.append(-log_sigmoid(s[t]) - sum(log_sigmoid(-s[c]) for c in negatives[n]))
        else:
            drawn = sum(log_sigmoid(-s[c]) for c in negatives[n] if c != t)
            found.append(-log_sigmoid(s[t]) - drawn)
    return np.array(found)
