"""Decoding: exact probabilities of the sampler, and generation equal to steps by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_seq as tg
from tinygrad_seq import nn
from tinygrad_seq.decode import Sampler, generate, greedy, read

INF = math.inf
LOGITS = np.log([[0.1, 0.5, 0.15, 0.25], [0.25, 0.25, 0.25, 0.25]])


def softmax(logits):
    p = np.exp(np.asarray(logits, np.float64))
    return p / p.sum(axis=-1, keepdims=True)


def test_greedy_takes_the_first_of_the_likeliest():
    assert greedy(LOGITS).tolist() == [1, 0]
    assert greedy(np.array([[-INF, -3.0, -2.0, -2.0]])).tolist() == [2]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("temperature", [0.25, 1.0, 3.0])
def test_temperature_is_softmax_of_the_quotient(temperature, dtype):
    logits = np.random.default_rng(0).normal(size=(3, 7)).astype(dtype)
    p = Sampler(temperature).probabilities(logits)
    assert p.dtype == np.float64
    np.testing.assert_allclose(p, softmax(logits.astype(np.float64) / temperature), rtol=1e-12)


@pytest.mark.parametrize("temperature", [1e-4, 1e-300, 5e-324])
def test_temperature_to_zero_is_greedy(temperature):
    logits = np.array([[-1000.0, 3.0, 2.0, -INF], [900.0, 900.0, 0.0, 899.0]])
    p = Sampler(temperature).probabilities(logits)
    np.testing.assert_array_equal(p, [[0, 1, 0, 0], [0.5, 0.5, 0, 0]])


def test_temperature_to_infinity_is_uniform():
    p = Sampler(1e300).probabilities(np.array([[-1000.0, 3.0, -INF]]))
    np.testing.assert_array_equal(p, [[0.5, 0.5, 0]])


@pytest.mark.parametrize(
    ("k", "expected"),
    [
        (1, [[0, 1, 0, 0], [0.25] * 4]),  # all that equal the k-th are kept
        (2, [[0, 2 / 3, 0, 1 / 3], [0.25] * 4]),
        (3, [[0, 5 / 9, 1.5 / 9, 2.5 / 9], [0.25] * 4]),
        (4, softmax(LOGITS)),
        (5, softmax(LOGITS)),
        (10**9, softmax(LOGITS)),
    ],
)
def test_top_k(k, expected):
    np.testing.assert_allclose(Sampler(top_k=k).probabilities(LOGITS), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("p", "expected"),
    [
        (1e-9, [0, 1, 0, 0]),
        (0.5, [0, 1, 0, 0]),
        (0.51, [0, 2 / 3, 0, 1 / 3]),
        (0.74, [0, 2 / 3, 0, 1 / 3]),
        (0.76, [0, 5 / 9, 1.5 / 9, 2.5 / 9]),
        (0.89, [0, 5 / 9, 1.5 / 9, 2.5 / 9]),
        (0.91, [0.1, 0.5, 0.15, 0.25]),
        (1.0, [0.1, 0.5, 0.15, 0.25]),
    ],
)
def test_top_p(p, expected):
    found = Sampler(top_p=p).probabilities(LOGITS[:1])
    np.testing.assert_allclose(found, [expected], rtol=1e-9, atol=1e-15)


def test_top_p_takes_equal_tokens_in_order():
    found = Sampler(top_p=0.5).probabilities(LOGITS[1:])
    np.testing.assert_array_equal(found, [[0.5, 0.5, 0, 0]])


def test_top_p_counts_among_the_top_k():
    found = Sampler(top_k=2, top_p=0.6).probabilities(LOGITS[:1])
    np.testing.assert_array_equal(found, [[0, 1, 0, 0]])  # 0.5 is 2/3 of the two


@st.composite
def samplers(draw):
    size = draw(st.integers(1, 8))
    row = st.lists(
        st.sampled_from([-INF, -800.0, -1.0, 0.0, 0.5, 2.0]), min_size=size, max_size=size
    )
    rows = draw(st.lists(row.filter(lambda r: max(r) > -INF), min_size=1, max_size=4))
    top_k = draw(st.none() | st.integers(1, 10))
    top_p = draw(st.none() | st.floats(0.01, 1.0))
    return np.array(rows), Sampler(draw(st.floats(0.1, 10.0)), top_k, top_p, tg.Generator(0))


@given(samplers())
def test_probabilities_by_their_definition(case):
    logits, sampler = case
    for row, found in zip(logits, sampler.probabilities(logits), strict=True):
        p = softmax((row - row.max()) / sampler.temperature)
        if sampler.top_k is not None:
            p = np.where(p >= sorted(p)[-min(sampler.top_k, len(p))], p, 0)
        p = p / p.sum()
        if sampler.top_p is not None:
            kept, total = [], 0.0
            for token in sorted(range(len(p)), key=lambda i: (-p[i], i)):
                if total >= sampler.top_p:
                    break
                kept.append(token)
                total += p[token]
            p = np.where(np.isin(np.arange(len(p)), kept), p, 0)
        np.testing.assert_allclose(found, p / p.sum(), rtol=1e-12)
    assert sampler.probabilities(logits)[np.arange(len(logits)), sampler(logits)].all()


@pytest.mark.parametrize("options", [{}, {"top_k": 3}, {"top_p": 0.7}, {"temperature": 0.5}])
def test_draws_follow_the_probabilities(options):
    sampler = Sampler(**options, generator=tg.Generator(1))
    n = 20_000
    counts = np.bincount(sampler(np.repeat(LOGITS[:1], n, axis=0)), minlength=4)
    p = sampler.probabilities(LOGITS[:1])[0]
    assert (abs(counts - n * p) <= 5 * np.sqrt(n * p * (1 - p))).all()


def test_rows_are_drawn_apart_and_reproducibly():
    logits = np.zeros((50, 1000), np.float32)
    first = Sampler(generator=tg.Generator(3))(logits)
    assert (Sampler(generator=tg.Generator(3))(logits) == first).all()
    assert len(set(first.tolist())) > 40
    tg.manual_seed(3)
    assert (Sampler()(logits) == first).all()
    assert (Sampler()(logits) != first).any()


@pytest.mark.parametrize("row", [[0.0, math.nan], [0.0, INF], [-INF, -INF]])
def test_logits_that_cannot_be_sampled(row):
    with pytest.raises(FloatingPointError, match="no finite largest"):
        Sampler()(np.array([[0.0, 1.0], row]))


@pytest.mark.parametrize(
    "options",
    [
        *({"temperature": t} for t in (0, -1.0, math.nan, INF)),
        *({"top_k": k} for k in (0, -3)),
        *({"top_p": p} for p in (0.0, -0.1, 1.1, math.nan)),
    ],
)
def test_bad_sampler(options):
    (name,) = options
    with pytest.raises(ValueError, match=f"{name} is"):
        Sampler(**options)


class CountingModel:
    """A step whose likeliest token is the sum of all tokens read, mod V; its state is that sum."""

    def __init__(self, size=10):
        self.size, self.calls = size, []

    def __call__(self, state, tokens):
        self.calls.append(list(tokens))
        state = state + tokens
        return state, tg.tensor(np.eye(self.size, dtype=np.float32)[state % self.size])


def test_generated_by_hand():
    step, state = CountingModel(), np.array([0, 0])
    written = generate(step, state, np.array([[1, 2], [2, 3]]), max_length=4)
    assert written == [[3, 6, 2, 4], [5, 0, 0, 0]]
    assert step.calls == [[1, 2], [2, 3], [3, 5], [6, 0], [2, 0]]  # the last token is not read
    assert state.tolist() == [0, 0]


def test_rows_stop_one_by_one():
    prompt = np.array([[1, 6, 3, 5]])
    rows = [[1, 2, 4, 8, 6, 2, 4], [6, 2, 4, 8, 6, 2, 4], [3, 6, 2, 4, 8, 6, 2], [5] + [0] * 6]
    for eos in (None, *range(10)):
        cut = [row[: row.index(eos)] if eos in row else row for row in rows]
        assert generate(CountingModel(), np.zeros(4, int), prompt, max_length=7, eos=eos) == cut


def test_stops_when_all_rows_have():
    step = CountingModel()
    assert generate(step, np.zeros(2, int), np.array([[5, 3]]), max_length=99, eos=6) != [[], []]
    step = CountingModel()
    assert generate(step, np.zeros(2, int), np.array([[5, 10]]), max_length=99, eos=0) == [[5], []]
    assert len(step.calls) == 2


def test_lengths_of_nothing():
    prompt = np.array([[1, 2, 3]])
    assert generate(CountingModel(), np.zeros(3, int), prompt, max_length=0) == [[], [], []]
    assert generate(CountingModel(), np.zeros(0, int), np.zeros((1, 0), int)) == []


@pytest.mark.parametrize("shape", [(0, 1), (0, 3), (4,), (1, 1, 1), ()])
def test_bad_prompts(shape):
    for length in (0, 5):
        with pytest.raises(ValueError, match=r"the prompt is \(.*expected \(T, B\)"):
            generate(CountingModel(), 0, np.zeros(shape, int), max_length=length)


def test_bad_lengths_and_reading_nothing():
    with pytest.raises(ValueError, match="max_length is -1"):
        generate(CountingModel(), 0, np.zeros((1, 1), int), max_length=-1)
    with pytest.raises(ValueError, match="the prompt is empty"):
        read(CountingModel(), 0, np.zeros((0, 1), int))


def test_any_function_may_choose():
    chosen = iter([[4, 1], [1, 4], [2, 2]])
    written = generate(CountingModel(), 0, np.array([[0, 0]]), choose=lambda _: next(chosen), eos=2)
    assert written == [[4, 1], [1, 4]]


@pytest.mark.parametrize("choose", [greedy, Sampler(generator=tg.Generator(0))])
def test_logits_that_are_nan(choose):
    def step(state, tokens):
        return state + 1, tg.tensor(np.array([[0.0, math.nan if state == 2 else 1.0]]))

    assert len(generate(step, 0, np.array([[0]]), choose=choose, max_length=2)[0]) == 2
    with pytest.raises(FloatingPointError, match="logits that are NaN"):
        generate(step, 0, np.array([[0]]), choose=choose, max_length=3)


@pytest.mark.parametrize("choose", [greedy, Sampler(top_k=3, generator=tg.Generator(0))])
def test_forbidden_tokens_are_never_chosen(choose):
    logits = tg.tensor(np.array([[-INF, 0.0, -INF, -1.0]] * 3, np.float32))
    written = generate(lambda s, t: (s, logits), None, np.zeros((1, 3), int), choose=choose)
    assert {token for row in written for token in row} <= {1, 3}


@pytest.mark.parametrize("layer", [nn.RNN, nn.GRU, nn.LSTM])
def test_a_recurrent_model_step_by_step(layer, backend_name):
    """Prompt and generation equal one pass over the whole; no graph, and the state stays."""
    tg.manual_seed(0)
    table, recurrent, output = nn.Embedding(7, 5), layer(5, 6, 2), nn.Linear(6, 7)

    def logits_of(ids, state=None):
        h, state = recurrent(table(tg.tensor(ids).to(backend_name)), state)
        return output(h), state

    def step(state, tokens):
        assert not tg.is_grad_enabled()
        logits, state = logits_of(tokens[None], state)
        assert not logits.requires_grad
        return state, logits[0]

    def choose(logits):
        seen.append(logits)
        return sampler(logits)

    prompt, seen, sampler = np.array([[1, 2, 3], [4, 5, 6]]), [], Sampler()
    _, state = logits_of(prompt)
    parts = [part.detach() for part in (state if isinstance(state, tuple) else (state,))]
    before = [part.to("numpy").numpy().copy() for part in parts]
    written = np.array(generate(step, state, prompt, choose=choose, max_length=5)).T  # (5, B)
    for part, kept in zip(parts, before, strict=True):
        np.testing.assert_array_equal(part.to("numpy").numpy(), kept)
    whole, _ = logits_of(np.concatenate([prompt, written[:-1]]), state)
    found = whole.detach().to("numpy").numpy()[1:]
    np.testing.assert_allclose(found, seen, rtol=1e-5, atol=1e-6)
    assert len(np.unique(written)) > 1
