"""Encoder, decoder and attention: all steps at once are steps one by one; learning; decoding."""

import numpy as np
import pytest
from nn_layers import host

import tinygrad_seq as tg
from tinygrad_seq import nn, ops, optim
from tinygrad_seq.decode import beam_search, generate

V, B, T, S = 7, 4, 5, 6
LENGTHS = np.array([5, 2, 0, 3])
RNG = np.random.default_rng(0)
SOURCE, INPUTS = RNG.integers(0, V, (T, B)), RNG.integers(0, V, (S, B))

KINDS = {
    "gru": (nn.GRU, {}, lambda h, k: nn.DotAttention(h)),
    "lstm": (nn.LSTM, {"num_layers": 2}, nn.GeneralAttention),
    "rnn": (nn.RNN, {}, lambda h, k: nn.AdditiveAttention(h, k, 3)),
    "lstm alone": (nn.LSTM, {}, None),
}


def make(kind="gru", dtype="float64", size=4, **options):
    """A model that reads in both directions; widths of encoder and decoder fit a dot product."""
    layer, layers, attention = KINDS[kind]
    tg.manual_seed(1)
    encoder = nn.Encoder(
        nn.Embedding(V, 3), layer(3, size // 2, bidirectional=True, **layers), **options
    )
    decoder = nn.Decoder(
        nn.Embedding(V, 3),
        layer(3, size, **layers),
        V,
        attention and attention(size, size),
        **options,
    )
    return nn.Seq2Seq(encoder, decoder).to(dtype)


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def test_teacher_forcing_is_the_steps_one_by_one(kind):
    model = make(kind)
    logits = model(SOURCE, INPUTS, LENGTHS)
    assert logits.shape == (S, B, V)
    state = model.start(SOURCE, LENGTHS)
    for t in range(S):
        state, each = model.step(state, INPUTS[t])
        np.testing.assert_allclose(host(each), host(logits[t]), rtol=1e-11, atol=1e-13)
    assert all(len(part) == B for part in state.parts)


def test_loss_sums_what_follows_the_start_tokens(kind):
    model, sizes, pad = make(kind), np.array([S, 1, 3, 2]), 0
    targets = np.where(np.arange(S)[:, None] < sizes, 1 + INPUTS % (V - 1), pad)
    loss, number = model.loss(SOURCE, LENGTHS, targets, sizes, pad)
    expected = 0.0
    for b, n in enumerate(sizes):
        log_p = host(ops.log_softmax(model(SOURCE, targets, LENGTHS)[:, b]))
        expected -= sum(log_p[t, targets[t + 1, b]] for t in range(n - 1))
    assert number == sum(sizes) - B
    np.testing.assert_allclose(loss.item(), expected, rtol=1e-12)


def test_padding_is_invisible(kind):
    model, outside = make(kind), np.arange(T)[:, None] >= LENGTHS
    other = np.where(outside, (SOURCE + 3) % V, SOURCE)
    for b, n in enumerate(LENGTHS):
        wanted = host(model(SOURCE, INPUTS, LENGTHS))[:, b]
        np.testing.assert_array_equal(host(model(other, INPUTS, LENGTHS))[:, b], wanted)
        if n:
            alone = model(SOURCE[:n, b : b + 1], INPUTS[:, b : b + 1])
            np.testing.assert_allclose(host(alone)[:, 0], wanted, rtol=1e-10, atol=1e-12)


def test_weights_are_those_of_the_source():
    model = make()
    _, _, weights = model.decoder(INPUTS, model.start(SOURCE, LENGTHS))
    assert weights.shape == (S, B, T)
    np.testing.assert_allclose(host(weights).sum(axis=2), np.tile(LENGTHS > 0, (S, 1)), atol=1e-12)
    assert not host(weights)[:, 1, 2:].any()
    assert make("lstm alone").decoder(INPUTS, make("lstm alone").start(SOURCE))[2] is None


def loss_of(model, **options):
    logits = model(SOURCE, INPUTS[:-1], LENGTHS, **options)
    return ops.cross_entropy(ops.reshape(logits, (-1, V)), INPUTS[1:].reshape(-1))


@pytest.mark.parametrize("sampling", [0.0, 0.5])
def test_gradients_equal_differences(kind, sampling):
    model, rng = make(kind), np.random.default_rng(3)

    def loss():
        return loss_of(model, sampling=sampling, generator=tg.Generator(5))

    names = [name for name, _ in model.named_parameters()]
    gradients = tg.grad(loss(), list(model.parameters()))
    for name, parameter, gradient in zip(names, model.parameters(), gradients, strict=True):
        moved, ends = rng.normal(size=parameter.shape), []
        for eps in (1e-6, -2e-6, 1e-6):
            with tg.no_grad():
                parameter[...] = tg.tensor(host(parameter) + eps * moved)
            ends.append(loss().item())
        assert (host(gradient) * moved).sum() == pytest.approx(
            (ends[0] - ends[1]) / 2e-6, rel=1e-4, abs=1e-8
        ), name


def test_scheduled_sampling():
    model = make()
    forced = host(model(SOURCE, INPUTS, LENGTHS))
    free, again, other = (
        host(model(SOURCE, inputs, LENGTHS, sampling=1.0, generator=tg.Generator(seed)))
        for inputs, seed in ((INPUTS, 1), (INPUTS, 1), (INPUTS[:1].repeat(S, axis=0), 1))
    )
    np.testing.assert_array_equal(free, again)
    np.testing.assert_array_equal(free, other)  # only the first input is read
    np.testing.assert_allclose(free[0], forced[0], rtol=1e-12)
    assert not np.allclose(free, forced)
    with pytest.raises(ValueError, match=r"sampling is 1\.5"):
        model(SOURCE, INPUTS, sampling=1.5)


def test_scheduled_sampling_of_any_step():
    """A step that says the sum of what it read: with its own choices it goes on by itself."""

    def step(state, tokens):
        state = state + np.asarray(tokens)
        return state, tg.tensor(np.eye(5)[state % 5])

    inputs = np.array([[1, 2], [0, 1], [3, 3]])
    start, best = np.zeros(2, int), lambda logits: logits.argmax(axis=1)
    logits, state = nn.scheduled_sampling(step, start, inputs, 0.0, best)
    assert host(logits).argmax(axis=-1).tolist() == [[1, 2], [1, 3], [4, 1]]
    assert state.tolist() == [4, 6]
    logits, state = nn.scheduled_sampling(step, start, inputs, 1.0, best)
    assert host(logits).argmax(axis=-1).tolist() == [[1, 2], [2, 4], [4, 3]]
    assert state.tolist() == [4, 8]
    with pytest.raises(ValueError, match="scheduled_sampling: probability is -1"):
        nn.scheduled_sampling(step, start, inputs, -1, best)


def test_samples_follow_the_model():
    """Drawn inputs are drawn from softmax(logits): counted over many rows."""
    model, n = make(), 4000
    seen = []
    model.decoder.embedding.forward = lambda t, own=model.decoder.embedding.forward: (
        seen.append(t),
        own(t),
    )[1]
    logits = model(SOURCE[:, :1].repeat(n, 1), np.full((2, n), 3), sampling=1.0)
    p = np.exp(host(logits)[0, 0])
    p /= p.sum()
    counts = np.bincount(np.asarray(seen[1]).reshape(-1), minlength=V)
    assert (abs(counts - n * p) <= 5 * np.sqrt(n * p * (1 - p))).all()


def test_dropout_only_in_training():
    model = make(dropout=0.5).eval()
    first, second = (host(model(SOURCE, INPUTS)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    model.train()
    assert not np.allclose(host(model(SOURCE, INPUTS)), first)


def test_beams_reorder_the_whole_state(kind):
    """Every hypothesis' score is its log-probability by teacher forcing."""
    model, start = make(kind), np.full((1, B), 1)
    found = beam_search(
        model.step, model.start(SOURCE, LENGTHS), start,
        beam=3, max_length=4, eos=0, length_penalty=0.0,
    )  # fmt: skip
    for b in range(B):
        assert len(found[b]) == 3
        for hypothesis in found[b]:
            tokens = [1, *hypothesis.tokens, *[0] * (len(hypothesis.tokens) < 4)]
            column = np.tile(np.array(tokens)[:, None], (1, B))
            log_probs = host(ops.log_softmax(model(SOURCE, column[:-1], LENGTHS)))[:, b]
            total = log_probs[np.arange(len(tokens) - 1), tokens[1:]].sum()
            assert hypothesis.score == pytest.approx(total, rel=1e-9)
    greedy = generate(model.step, model.start(SOURCE, LENGTHS), start, max_length=4, eos=0)
    one = beam_search(model.step, model.start(SOURCE, LENGTHS), start, beam=1, max_length=4, eos=0)
    assert [row[0].tokens for row in one] == greedy


def test_learns_to_turn_round():
    """Sequences of 2 to 4 letters, written backwards, by attention."""
    rng = np.random.default_rng(0)
    model = make("gru", "float32", size=24)
    optimizer = optim.Adam(model.parameters(), lr=0.01)

    def batch(n):
        lengths = rng.integers(2, 5, n)
        letters = rng.integers(2, V, (4, n))
        inputs, targets = np.zeros((5, n), int), np.full((5, n), -100)
        for b, length in enumerate(lengths):
            turned = letters[:length, b][::-1]
            inputs[: length + 1, b], targets[: length + 1, b] = [1, *turned], [*turned, 0]
        return letters, lengths, inputs, targets

    for _ in range(250):
        letters, lengths, inputs, targets = batch(32)
        logits = model(letters, inputs, lengths)
        loss = ops.cross_entropy(ops.reshape(logits, (-1, V)), targets.reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    letters, lengths, _, _ = batch(50)
    written = generate(
        model.step, model.start(letters, lengths), np.ones((1, 50), int), max_length=5, eos=0
    )
    turned = [letters[:n, b][::-1].tolist() for b, n in enumerate(lengths)]
    right = sum(w == t for w, t in zip(written, turned, strict=True))
    assert right >= 40


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (
            lambda e: nn.Decoder(e, nn.GRU(3, 4, bidirectional=True), V),
            ValueError,
            "rnn is bidirectional",
        ),
        (lambda e: nn.Encoder(e, nn.GRUCell(3, 4)), TypeError, "rnn is a GRUCell"),
        (lambda e: nn.Encoder(e, nn.GRU(3, 4, batch_first=True)), ValueError, "batch_first"),
        (
            lambda e: nn.Decoder(e, nn.GRU(3, 4), V, nn.DotAttention(5)),
            ValueError,
            "query_size is 5, expected 4",
        ),
        (
            lambda e: nn.Seq2Seq(
                nn.Encoder(e, nn.GRU(3, 6)), nn.Decoder(e, nn.GRU(3, 4), V, nn.DotAttention(4))
            ),
            ValueError,
            "key_size is 4, expected 6",
        ),
    ],
)
def test_parts_that_do_not_fit(call, error, match):
    with pytest.raises(error, match=match):
        call(nn.Embedding(V, 3))
