"""Samplers: their probabilities, what they draw, distinct samples, bad input."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_seq as tg
from tinygrad_seq import nn
from tinygrad_seq.engine.random import chosen

COUNTS = np.array([40, 9, 13, 1, 5, 2, 30])
SAMPLERS = {
    "log_uniform": nn.LogUniformSampler(7),
    "unigram": nn.UnigramSampler(COUNTS),
    "frequency": nn.UnigramSampler(COUNTS, 1.0),
    "inverse": nn.UnigramSampler(COUNTS, -1.0),
    "uniform": nn.UnigramSampler(COUNTS, 0.0),
}
every_sampler = pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS)


def test_probabilities_written_out():
    every = np.arange(7)
    log_uniform = [math.log((c + 2) / (c + 1)) / math.log(8) for c in range(7)]
    found = SAMPLERS["log_uniform"].probability(every)
    np.testing.assert_allclose(found, log_uniform, rtol=1e-13)
    for name, exponent in (("unigram", 0.75), ("frequency", 1), ("inverse", -1), ("uniform", 0)):
        mass = [float(n) ** exponent for n in COUNTS]
        wanted = np.array(mass) / sum(mass)
        np.testing.assert_allclose(SAMPLERS[name].probability(every), wanted, rtol=1e-13)


@every_sampler
def test_draws_follow_the_probabilities(sampler):
    """Within 5 deviations of the binomial, for each class."""
    p, n = sampler.probability(np.arange(7)), 100_000
    drawn = sampler.draw((n // 100, 100), tg.Generator(0))
    assert drawn.dtype == np.int64
    found = np.bincount(drawn.reshape(-1), minlength=7)
    assert (np.abs(found - n * p) < 5 * np.sqrt(n * p * (1 - p))).all()


def by_rejection(sampler, count, generator):
    """Distinct classes and the number of draws, one draw after another: the definition."""
    found, tries = [], 0
    while len(found) < count:
        (c,) = sampler.draw((1,), generator).tolist()
        tries += 1
        if c not in found:
            found.append(c)
    return found, tries


class Impatient(nn.UnigramSampler):
    """Draws too few at first, so that the rest comes from the remaining classes."""

    def draw(self, shape, generator=None):
        return super().draw(1 if isinstance(shape, int) else shape, generator)


@pytest.mark.parametrize("sampler_class", [nn.UnigramSampler, Impatient])
def test_distinct_draws_are_as_if_drawn_one_by_one(sampler_class):
    """What comes first, last and at all, and how many draws it took: within 5 deviations."""
    sampler, generator, rounds = sampler_class([6, 3, 1, 1, 2]), tg.Generator(1), 20_000
    found = [sampler.draw_distinct(3, generator) for _ in range(rounds)]
    wanted = [by_rejection(sampler, 3, generator) for _ in range(rounds)]
    for column in (0, 2, slice(None)):
        a, b = (
            np.bincount(np.array([c for c, _ in rows])[:, column].reshape(-1), minlength=5) / rounds
            for rows in (found, wanted)
        )
        np.testing.assert_allclose(a, b, atol=5 * math.sqrt(0.5 / rounds))
    a, b = (np.array([tries for _, tries in rows], float) for rows in (found, wanted))
    assert abs(a.mean() - b.mean()) < 5 * math.sqrt((a.var() + b.var()) / rounds)
    assert a.std() == pytest.approx(b.std(), rel=0.1)


@every_sampler
def test_distinct_draws_are_distinct(sampler):
    for count in range(1, 8):
        for seed in range(20):
            classes, tries = sampler.draw_distinct(count, tg.Generator(seed))
            assert len(classes) == len(set(classes.tolist())) == count
            assert set(classes.tolist()) <= set(range(7))
            assert tries >= count
    assert sampler.draw_distinct(7)[1] == math.inf
    np.testing.assert_array_equal(sampler.expected_count(np.arange(7), 7, math.inf), 1.0)


def test_distinct_draws_where_almost_all_mass_is_one_class():
    """Drawn one by one, this would take some 10^12 draws."""
    sampler = nn.UnigramSampler([1e12, 1, 1, 1, 1, 1], 1.0)
    classes, tries = sampler.draw_distinct(3, tg.Generator(0))
    assert len(set(classes.tolist())) == 3
    assert tries > 1e8
    assert (sampler.expected_count(np.arange(6), 3, tries) <= 1).all()


@settings(max_examples=50)
@given(
    st.lists(st.integers(1, 10**9), min_size=2, max_size=9),
    st.floats(-2, 2),
    st.integers(0, 99),
)
def test_expected_counts_of_one_draw_are_the_probabilities(counts, exponent, seed):
    sampler = nn.UnigramSampler(counts, exponent)
    every = np.arange(len(counts))
    p = sampler.probability(every)
    assert p.sum() == pytest.approx(1)
    np.testing.assert_array_equal(sampler.expected_count(every, 1), p)
    for tries in (2, 5):
        by_counting = 1 - (1 - p) ** tries
        np.testing.assert_allclose(sampler.expected_count(every, 1, tries), by_counting, atol=1e-12)
    drawn = sampler.draw(100, tg.Generator(seed))
    assert ((drawn >= 0) & (drawn < len(counts))).all()


class Highest:
    """A generator of NumPy's whose uniform numbers are the largest below 1."""

    def random(self, shape):
        return np.full(shape, np.nextafter(1, 0))


@every_sampler
def test_the_largest_uniform_number_is_the_last_class(sampler, monkeypatch):
    generator = tg.Generator(0)
    generator.numpy = Highest()
    assert chosen(generator).numpy.random(1) < 1
    np.testing.assert_array_equal(sampler.draw(3, generator), [6, 6, 6])


@pytest.mark.parametrize(
    ("message", "call"),
    [
        (r"counts are \(\), expected \(V,\)", lambda: nn.UnigramSampler(3)),
        (r"counts are \(1,\), expected \(V,\) with V at least 2", lambda: nn.UnigramSampler([3])),
        (r"counts are \(2, 2\)", lambda: nn.UnigramSampler(np.ones((2, 2)))),
        (
            r"counts\[1\] is 0, expected more than 0; give a class",
            lambda: nn.UnigramSampler([3, 0]),
        ),
        (r"counts\[0\] is -2", lambda: nn.UnigramSampler([-2, 1])),
        (r"counts\[1\] is nan", lambda: nn.UnigramSampler([1, np.nan])),
        (r"counts\[1\] is inf", lambda: nn.UnigramSampler([1, np.inf])),
        ("exponent is inf", lambda: nn.UnigramSampler([1, 2], np.inf)),
        ("exponent is nan", lambda: nn.UnigramSampler([1, 2], np.nan)),
        ("leave some classes without probability", lambda: nn.UnigramSampler([1, 1e300], 9)),
        ("num_classes is 1, expected 2 or more", lambda: nn.LogUniformSampler(1)),
        ("count is 0, expected 1 to num_classes, 7", lambda: SAMPLERS["unigram"].draw_distinct(0)),
        ("count is 8, expected 1 to", lambda: SAMPLERS["log_uniform"].draw_distinct(8)),
    ],
)
def test_bad_input(message, call):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_sampler_without_methods_says_so():
    for method in ("probability", "draw"):
        with pytest.raises(NotImplementedError, match=f"Sampler has no {method}"):
            getattr(nn.Sampler(), method)(np.arange(2))
