"""Sampled softmax, NCE and the samplers equal TensorFlow's stored values."""

import numpy as np
import pytest
from golden.store import grouped, read
from nn_layers import host, leaf
from sampled_cases import CASES, COUNTS, DRAWS, FILE, H, K, V, probabilities

from tinygrad_seq import nn

NEAR = {"rtol": 1e-11, "atol": 1e-11}


def sampler_of(name):
    exponent = DRAWS[name]
    if exponent is None:
        return nn.LogUniformSampler(V)
    return nn.UnigramSampler(COUNTS, exponent)


def test_every_case_is_stored_and_nothing_else():
    losses = {f"{case.name}/float64" for case in CASES}
    drawn = {f"{s}-unique-{seed}/float32" for s in DRAWS for seed in (1, 2, 3)}
    assert set(grouped(FILE)) == losses | drawn | {f"{s}-repeats-1/float32" for s in DRAWS}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_losses_and_gradients(case):
    wanted = read(FILE, case.name)
    arrays, targets = case.arrays()
    kind = {"sampled_softmax": nn.SampledSoftmax, "nce": nn.NCE}[case.loss]
    layer = kind(H, sampler_of(case.sampler), K, bias=True, dtype=np.float64)
    layer.load_state_dict({key: arrays[key] for key in ("weight", "bias")})
    hidden = leaf(arrays["hidden"])
    given = {"negatives": case.samples}
    if case.loss == "sampled_softmax":
        given["tries"] = case.tries
    losses = layer(hidden, targets, reduction="none", **given)
    losses.backward(np.ones(len(targets)))
    np.testing.assert_allclose(host(losses), wanted["loss"], **NEAR)
    np.testing.assert_allclose(host(hidden.grad), wanted["hidden.grad"], **NEAR)
    np.testing.assert_allclose(host(layer.weight.grad), wanted["weight.grad"], **NEAR)
    np.testing.assert_allclose(host(layer.bias.grad), wanted["bias.grad"], **NEAR)


@pytest.mark.parametrize("name", DRAWS)
def test_expected_counts_are_those_of_tensorflows_samplers(name):
    """TensorFlow does not say how many draws it took: one whole number explains all classes."""
    sampler, every = sampler_of(name), np.arange(V)
    np.testing.assert_allclose(sampler.probability(every), probabilities(name), rtol=1e-13)
    for seed in (1, 2, 3):
        stored = read(FILE, f"{name}-unique-{seed}", "float32")
        assert len(set(stored["classes"])) == K
        found = [sampler.expected_count(every, K, tries) for tries in range(K, 99)]
        fits = [np.allclose(counts, stored["expected"], rtol=3e-6, atol=0) for counts in found]
        assert fits.count(True) == 1
    stored = read(FILE, f"{name}-repeats-1", "float32")
    np.testing.assert_allclose(sampler.expected_count(every, K), stored["expected"], rtol=3e-6)
