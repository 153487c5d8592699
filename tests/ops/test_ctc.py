"""ctc_loss: what does not fit, what is refused, and that padding is not read."""

import numpy as np
import pytest

import tinygrad_seq as tg
from ops.cases.loss_cases import alignments_nll
from tinygrad_seq import ops


def leaf(*shape, dtype=np.float64):
    data = np.random.default_rng(list(shape)).normal(size=shape)
    return tg.tensor(data.astype(dtype), requires_grad=True)


TARGETS = np.array([[1, 1, 2], [1, 2, 1], [2, 2, 2]])


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
def test_targets_longer_than_inputs(reduction):
    """112 needs 4 frames, 121 needs 3, 222 needs 5; they get 3, 3 and 4."""
    x = leaf(4, 3, 3)
    losses = ops.ctc_loss(ops.log_softmax(x), TARGETS, [3, 3, 4], [3, 3, 3], reduction=reduction)
    fits = alignments_nll(ops.log_softmax(x).detach().numpy()[:3, 1], [1, 2, 1], 0)
    wanted = {"none": [np.inf, fits, np.inf], "sum": np.inf, "mean": np.inf}[reduction]
    np.testing.assert_allclose(losses.detach(), wanted, rtol=1e-12)
    zeroed = ops.ctc_loss(ops.log_softmax(x), TARGETS, [3, 3, 4], [3, 3, 3], 0, reduction, True)
    wanted = {"none": [0, fits, 0], "sum": fits, "mean": fits / 9}[reduction]
    np.testing.assert_allclose(zeroed.detach(), wanted, rtol=1e-12)
    for loss in (losses, zeroed):
        gradient = tg.grad(loss.sum(), x).numpy()
        assert np.isfinite(gradient).all()
        assert gradient[:3, 1].all()
        assert not gradient[:, [0, 2]].any()


def test_no_frames_and_no_symbols():
    x = leaf(2, 4, 3)
    losses = ops.ctc_loss(x, np.zeros((4, 0), int), [0, 1, 2, 0], [0, 0, 0, 0], reduction="none")
    blanks = x.detach().numpy()[:, :, 0]
    np.testing.assert_allclose(losses.detach(), [0, -blanks[0, 1], -blanks[:, 2].sum(), 0])
    assert ops.ctc_loss(x[:, :1], [[1]], [0], [1], reduction="none").tolist() == [np.inf]


def test_forms_of_targets_and_lengths_agree():
    x = leaf(6, 3, 4)
    rows, lengths = np.array([[1, 2, -1], [3, 3, 3], [99, 99, 99]]), [2, 3, 0]
    want = ops.ctc_loss(x, rows, [6, 6, 6], lengths, reduction="none").detach().numpy()
    joined = [1, 2, 3, 3, 3]
    for targets in (joined, np.array(joined, np.int32), tg.tensor(joined)):
        for numbers in (lengths, tuple(lengths), tg.tensor(lengths)):
            found = ops.ctc_loss(x, targets, [6, 6, 6], numbers, reduction="none")
            np.testing.assert_array_equal(found.detach(), want)
    for b in (0, 1):
        alone = ops.ctc_loss(x[:, b], rows[b], 6, lengths[b], reduction="none")
        assert alone.shape == ()
        assert alone.item() == want[b]


def test_padding_is_invisible():
    data = leaf(5, 2, 3).detach().numpy().copy()
    data[3:, 0] = np.nan
    x = tg.tensor(data, requires_grad=True)
    loss = ops.ctc_loss(x, [[1, 2], [2, 7]], [3, 5], [2, 1])
    loss.backward()
    assert np.isfinite(loss.item())
    assert not x.grad.numpy()[3:, 0].any()
    cut = ops.ctc_loss(x[:3, :1], [[1, 2]], [3], [2], reduction="none")
    assert cut.tolist() == ops.ctc_loss(x, [[1, 2], [2, 7]], [3, 5], [2, 1], 0, "none").tolist()[:1]


def test_posteriors_add_up():
    """Each frame of a sequence that fits is at some label: its gradient sums to -1."""
    x = leaf(50, 2, 6)
    ops.ctc_loss(
        x, np.arange(1, 5).repeat(5).reshape(2, 10), [50, 30], [10, 9], 0, "sum"
    ).backward()
    totals = x.grad.numpy().sum(axis=2)
    np.testing.assert_allclose(totals[:30], -1, rtol=1e-10)
    np.testing.assert_allclose(totals[30:, 1], 0, atol=1e-14)


def test_long_inputs_stay_exact_in_float32():
    x = leaf(2000, 1, 30)
    targets = np.random.default_rng(1).integers(1, 30, (1, 200))
    losses = []
    for dtype in (np.float64, np.float32):
        log_probs = ops.log_softmax(tg.tensor(x.detach().numpy().astype(dtype)))
        losses.append(ops.ctc_loss(log_probs, targets, [2000], [200], reduction="none").item())
    assert losses[1] == pytest.approx(losses[0], rel=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_large_number_masks_as_infinity_does(dtype):
    """Past 1e15 the sums have no last digits; a posterior that all must share is still 1."""
    data, found = leaf(8, 3, 4).detach().numpy().astype(dtype), []
    for mask in (-np.inf, -1e30):
        data[:3, 0, 1] = data[5, 1, 0] = mask
        x = tg.tensor(data, requires_grad=True)
        losses = ops.ctc_loss(x, [[1, 2]] * 3, [8] * 3, [2] * 3, reduction="none")
        losses.sum().backward()
        found.append((losses.detach(), x.grad.numpy().copy()))
    np.testing.assert_allclose(found[1][0], found[0][0], rtol=1e-12)
    np.testing.assert_allclose(found[1][1], found[0][1], rtol=1e-12)
    data[4, 2] = -1e30
    x = tg.tensor(data[:, 2:], requires_grad=True)
    loss = ops.ctc_loss(x, [[1, 2]], [8], [2], reduction="sum")
    loss.backward()
    assert loss.item() == pytest.approx(1e30)
    assert (x.grad.numpy() >= -1).all()


BAD = {
    "4 axes": ("x", (2, 2, 2, 2), ValueError, r"log_probs are float64\(2, 2, 2, 2\)"),
    "no frames": ("x", (0, 2, 3), ValueError, "T at least 1"),
    "blank": ("blank", 3, ValueError, "blank is 3, expected 0 to 2"),
    "a blank": ("targets", [[1, 2], [2, 0]], ValueError, "target 1 of sequence 1 is the blank"),
    "too high": ("targets", [[1, 3], [1, 2]], IndexError, "target 1 of sequence 0 is 3, expected"),
    "below 0": ("targets", [[1, 1], [-1, 2]], IndexError, "target 0 of sequence 1 is -1"),
    "floats": ("targets", [[1.0, 1], [1, 1]], TypeError, "targets are float64, expected int"),
    "rows": ("targets", [[1, 2]], ValueError, r"targets are \(1, 2\), expected \(2, S\)"),
    "row": ("targets", [1, 2, 1], ValueError, "3 targets in one row, target_lengths add up to 4"),
    "too long": ("target_lengths", [2, 3], ValueError, "target_lengths: a length is 3, expected"),
    "frames": ("input_lengths", [4, 5], ValueError, "input_lengths: a length is 5, expected 0"),
    "negative": ("input_lengths", [4, -1], ValueError, "input_lengths: a length is -1"),
    "counts": ("input_lengths", [4], ValueError, r"input_lengths: lengths are \(1,\), expected"),
    "kind": ("input_lengths", [4.0, 4], TypeError, "input_lengths: lengths are float64"),
    "reduction": ("reduction", "max", ValueError, "reduction is 'max'"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input(name):
    argument, value, error, match = BAD[name]
    given = {"x": (4, 2, 3), "targets": [[1, 2], [2, 1]]}
    given |= {"input_lengths": [4, 4], "target_lengths": [2, 2], argument: value}
    with pytest.raises(error, match=match):
        ops.ctc_loss(leaf(*given.pop("x")), **given)
