"""Beam search: beam 1 is greedy, a full beam is exhaustive search, rows do not mix."""

import math

import numpy as np
import pytest

import tinygrad_seq as tg
from tinygrad_seq.decode import Hypothesis, beam_search, generate

V, EOS = 3, 0


class Chain:
    """A step whose logits depend on the row's own number and on all tokens since its start.

    Its state is in every form that a state may have.
    """

    def __init__(self, seed=0, size=V, forbidden=()):
        self.seed, self.size, self.forbidden = seed, size, forbidden

    def start(self, batch):
        number = np.arange(batch)
        return {"row": tg.tensor(number), "read": [number, None], "again": (number * 1.0,)}

    def __call__(self, state, tokens):
        row, seen = state["row"].numpy(), state["read"][0] * 7 + tokens
        assert np.array_equal(seen, state["again"][0] * 7 + tokens)
        keys = zip(row, seen, strict=True)
        logits = np.array(
            [np.random.default_rng([self.seed, *k]).normal(size=self.size) for k in keys]
        )
        logits = 2 * logits.reshape(len(tokens), self.size)
        logits[:, list(self.forbidden)] = -np.inf
        state = {"row": state["row"], "read": [seen, None], "again": (seen * 1.0,)}
        return state, tg.tensor(logits)


def exhaustive(model, row, batch, max_length, alpha):
    """Every continuation of one row and its score, by walking the whole tree."""
    found = {}

    def walk(state, prompt, tokens, total):
        if len(tokens) == max_length:
            found[tuple(tokens)] = total / ((5 + len(tokens)) / 6) ** alpha
            return
        state, logits = model(state, np.full(batch, prompt))
        x = logits.numpy()[row]
        log_probs = x - np.log(np.exp(x).sum())
        for v in range(model.size):
            if v == EOS:
                length = len(tokens) + 1
                found[(*tokens, EOS)] = (total + log_probs[v]) / ((5 + length) / 6) ** alpha
            else:
                walk(state, v, [*tokens, v], total + log_probs[v])

    walk(model.start(batch), 1, [], 0.0)
    return sorted(found.items(), key=lambda item: -item[1])


@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_full_width_is_exhaustive(seed, alpha):
    model, batch, limit = Chain(seed), 2, 4
    width = 1 + 2 + 4 + 8 + 16  # ended after 1, 2, 3 and 4 tokens, and cut off
    found = beam_search(
        model, model.start(batch), np.array([[1, 1]]),
        beam=width, max_length=limit, eos=EOS, length_penalty=alpha,
    )  # fmt: skip
    for b in range(batch):
        wanted = exhaustive(model, b, batch, limit, alpha)
        assert len(found[b]) == len(wanted) == width
        for hypothesis, (tokens, score) in zip(found[b], wanted, strict=True):
            assert hypothesis.tokens == [v for v in tokens if v != EOS]
            assert hypothesis.score == pytest.approx(score, rel=1e-12)


@pytest.mark.parametrize("eos", [None, 0, 2])
@pytest.mark.parametrize("alpha", [0.0, 2.0])
@pytest.mark.parametrize("seed", range(4))
def test_beam_of_one_is_greedy(seed, alpha, eos):
    model, prompt = Chain(seed, 4), np.array([[1, 2, 1, 3, 1], [2, 2, 1, 1, 3]])
    found = beam_search(
        model, model.start(5), prompt, beam=1, max_length=7, eos=eos, length_penalty=alpha
    )
    assert [[h.tokens for h in row] for row in found] == [
        [tokens] for tokens in generate(model, model.start(5), prompt, max_length=7, eos=eos)
    ]


def test_a_wider_beam_finds_what_greedy_misses():
    """0.4 · 0.9 after the second-best first token beats 0.5 · 0.5 after the best."""
    table = {0: [0.1, 0.5, 0.4], 1: [0.5, 0.3, 0.2], 2: [0.9, 0.05, 0.05]}

    def step(state, tokens):
        rows = [table[0] if t == 3 else table[t] for t in tokens.tolist()]
        return state, tg.tensor(np.log(rows))

    for beam, tokens, p in ((1, [1], 0.25), (2, [2], 0.36), (9, [2], 0.36)):
        (best, *rest), *_ = beam_search(
            step, (), np.array([[3]]), beam=beam, max_length=5, eos=0, length_penalty=0.0
        )
        assert best.tokens == tokens
        assert best.score == pytest.approx(math.log(p))
        assert len(rest) == beam - 1


def test_rows_do_not_mix():
    model = Chain(5, 5)
    together = beam_search(
        model, model.start(4), np.array([[1, 2, 3, 4]]), beam=3, max_length=6, eos=0
    )
    for b in range(4):
        state = {
            "row": tg.tensor([b]),
            "read": [np.array([b]), None],
            "again": (np.array([b * 1.0]),),
        }
        alone = beam_search(model, state, np.array([[b + 1]]), beam=3, max_length=6, eos=0)
        assert [h.tokens for h in together[b]] == [h.tokens for h in alone[0]]


def test_a_larger_penalty_prefers_longer_ones():
    model, lengths = Chain(1, 6), []
    for alpha in (0.0, 1.0, 4.0):
        found = beam_search(
            model, model.start(8), np.ones((1, 8), int),
            beam=4, max_length=9, eos=0, length_penalty=alpha,
        )  # fmt: skip
        lengths.append(sum(len(row[0].tokens) for row in found))
    assert lengths == sorted(lengths)
    assert lengths[0] < lengths[-1]


def test_impossible_continuations_are_left_out():
    model = Chain(2, 3, forbidden=(0, 2))
    (found,) = beam_search(model, model.start(1), np.array([[1]]), beam=4, max_length=3, eos=0)
    assert [h.tokens for h in found] == [[1, 1, 1]]
    assert found[0].score == pytest.approx(0.0)


def test_lengths_of_nothing():
    model = Chain()
    nothing = [[Hypothesis([], 0.0)]] * 2
    assert beam_search(model, model.start(2), np.array([[1, 1]]), max_length=0) == nothing
    assert beam_search(model, model.start(0), np.zeros((1, 0), int)) == []


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"beam": 0}, "beam is 0"),
        ({"max_length": -1}, "max_length is -1"),
        ({"length_penalty": -0.5}, "length_penalty is -0.5"),
        ({"length_penalty": math.nan}, "length_penalty is nan"),
    ],
)
def test_bad_options(options, match):
    with pytest.raises(ValueError, match=match):
        beam_search(Chain(), Chain().start(1), np.array([[1]]), **options)


def test_bad_states_and_logits():
    def step(state, tokens):
        return state, tg.tensor(np.zeros((len(tokens), 3)))

    for state in (tg.tensor([1.0, 2.0]), np.array(1.0)):
        with pytest.raises(ValueError, match=r"a state holds an array .*expected \(1, \.\.\.\)"):
            beam_search(step, (state,), np.array([[1]]))
    with pytest.raises(TypeError, match="a state holds a str"):
        beam_search(step, ("h",), np.array([[1]]))
    with pytest.raises(FloatingPointError, match="NaN"):
        beam_search(lambda s, t: (s, tg.tensor([[math.nan, 0.0]])), (), np.array([[1]]))
    with pytest.raises(FloatingPointError, match="infinite"):  # or both were impossible
        beam_search(lambda s, t: (s, tg.tensor([[math.inf, 0.0]])), (), np.array([[1]]))
