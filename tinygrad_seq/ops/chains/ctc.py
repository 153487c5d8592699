"""The CTC loss: how likely labels are whose places in time are unknown, summed over all places."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...engine.backend import Array, backend_of, is_array, values, xp
from ...engine.primitive import fused
from ...engine.tensor import Tensor, tensor_at
from ...machine.memory import memory
from ..elementwise import where
from ..indexing import getitem
from ..losses import reduced
from ..reductions import logsumexp
from ..scan import check_lengths, scan
from ..shape import concat, expand_dims, stack

# ---- the sum over alignments ---------------------------------------------------------------------


def _alignments(log_probs: Any, labels: Array, frames: Array, symbols: Array) -> Any:
    """-log of the probability of all alignments, in ops: the definition of `ctc_alignments`.

    α(l) = log Σ exp [α(l), α(l-1), α(l-2) where two labels differ] + log_probs at label l
    """
    f, (T, B, _), L = xp(values(log_probs)), log_probs.shape, labels.shape[1]
    places = (f.arange(T)[:, None, None], f.arange(B)[:, None], labels)
    emissions = getitem(log_probs, places)  # (T, B, L)
    never = tensor_at(f.full((B, L + 1), -math.inf, log_probs.dtype), None)
    start = concat([tensor_at(f.zeros((B, 1), log_probs.dtype), None), never[:, 2:]], axis=1)
    skips = tensor_at(f.concatenate([labels[:, :2] < 0, labels[:, 2:] != labels[:, :-2]], 1), None)

    def step(alpha: Any, x: Any) -> tuple[Any, Any]:
        before = concat([never[:, :2], alpha], axis=1)
        jumped = where(skips, before[:, :-2], -math.inf)
        alpha = logsumexp(stack([alpha, before[:, 1:-1], jumped]), axis=0) + x
        return alpha, alpha

    alpha, _ = scan(step, emissions, start, lengths=frames)
    alpha = concat([never[:, :1], alpha], axis=1)  # so that no symbols have a label before the last
    rows = f.arange(B)
    ends = [getitem(alpha, (rows, 2 * symbols + 1 - i)) for i in (0, 1)]
    return -logsumexp(stack(ends), axis=0)


def _alignments_vjp(
    g: Array, log_probs: Array, labels: Array, frames: Array, symbols: Array
) -> tuple[Array]:
    from . import alignments

    x = no_half(log_probs)
    dx = memory(x.shape, x.dtype)
    alignments.backward(x, labels, frames, symbols, no_half(g), dx)
    return (dx.astype(log_probs.dtype, copy=False),)


def no_half(x: Array) -> Array:
    """Return x, in float32 if it is in float16, which Numba lacks."""
    return x.astype(np.float32) if x.dtype == np.float16 else x


@fused(_alignments, wrt="log_probs", vjp=_alignments_vjp)
def ctc_alignments(log_probs: Array, labels: Array, frames: Array, symbols: Array) -> Array:
    """-log of the probability of labels, summed over all alignments; infinite where there is none.

    log_probs (T, B, V)   labels (B, 2S+1), the symbols with a blank before, between and after
    frames (B,) and symbols (B,): how many of T and of S count   ->   (B,)
    """
    from . import alignments  # and with it Numba, once it is needed

    losses = np.empty(len(labels))
    alignments.forward(no_half(log_probs), labels, frames, symbols, losses)
    return losses.astype(log_probs.dtype, copy=False)


# ---- the loss ------------------------------------------------------------------------------------


def ctc_loss(
    log_probs: Tensor,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """-log Σ over alignments Π_t exp(log_probs[t]) at the alignment's labels, in nats.

    An alignment gives each frame a symbol or the blank; equal neighbours count once, blanks are
    then left out, and what remains is the target.
    log_probs (T, B, V) or (T, V), of log_softmax, float   blank: which of V is the blank
    targets (B, S), batch first as PyTorch's, padded with anything, or (Σ target_lengths,), one
    after the other; (S,) without a batch
    input_lengths (B,), 0 to T; target_lengths (B,), 0 to S; integers, () without a batch
    reduction: "mean" (each loss by its target's length, then over the batch), "sum", or "none"
    Where a target does not fit its input (more symbols and repetitions than frames) the loss is
    infinite, or 0 with zero_infinity; no gradient flows from there.
    Raises ValueError, TypeError or IndexError, with the place, for lengths and symbols that do not
    fit, blanks among the targets included.
    Source: Graves, Fernandez, Gomez & Schmidhuber 2006, eq. 6-8.
    """
    batched = log_probs.ndim == 3
    if log_probs.ndim not in (2, 3) or log_probs.dtype.kind != "f" or 0 in log_probs.shape[:1]:
        got = f"{log_probs.dtype}{log_probs.shape}"
        raise ValueError(f"ctc_loss: log_probs are {got}, expected floats (T, B, V), T at least 1")
    x = log_probs if batched else expand_dims(log_probs, 1)
    T, B, V = x.shape
    if not 0 <= blank < V:
        raise ValueError(f"ctc_loss: blank is {blank}, expected 0 to {V - 1}")
    symbols, rows = _padded(_host(targets), _host(target_lengths).reshape(-1), B, batched)
    frames = _lengths("input_lengths", _host(input_lengths).reshape(-1), T, B)
    labels = _with_blanks(rows, symbols, blank, V)
    f = xp(values(x))
    compute = ctc_alignments if isinstance(values(x), np.ndarray) else _alignments
    losses = compute(x, f.asarray(labels), f.asarray(frames), f.asarray(symbols))
    if zero_infinity:
        losses = where(values(losses) == math.inf, 0.0, losses)
    if reduction == "mean":
        losses = losses / tensor_at(f.asarray(np.maximum(symbols, 1).astype(x.dtype)), None)
    losses = reduced(losses, reduction)
    return losses if batched or reduction != "none" else losses[0]


def _host(x: Any) -> np.ndarray:
    """Return a Tensor, an array of any backend, or a list as a NumPy array."""
    array = values(x)
    return backend_of(array).to_numpy(array) if is_array(array) else np.asarray(array)


def _lengths(name: str, lengths: np.ndarray, limit: int, batch: int) -> np.ndarray:
    """Return lengths (B,) as int64, checked: from 0 to `limit`."""
    try:
        return check_lengths(lengths, limit, batch).astype(np.int64)
    except (TypeError, ValueError) as error:
        raise type(error)(f"ctc_loss: {name}: {error}") from None


def _padded(
    targets: np.ndarray, lengths: np.ndarray, batch: int, batched: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return the targets' lengths (B,) and the targets (B, S), whatever form they came in."""
    if targets.dtype.kind not in "iu" and targets.size:
        raise TypeError(f"ctc_loss: targets are {targets.dtype}, expected integers")
    joined = targets.ndim == 1 and batched
    rows = targets[None] if targets.ndim == 1 else targets
    if rows.ndim != 2 or (not joined and len(rows) != batch):
        raise ValueError(
            f"ctc_loss: targets are {targets.shape}, expected ({batch}, S) or all in one row"
        )
    symbols = _lengths("target_lengths", lengths, rows.shape[1], batch)
    if not joined:
        return symbols, rows.astype(np.int64)
    if int(symbols.sum()) != targets.size:
        raise ValueError(
            f"ctc_loss: {targets.size} targets in one row, target_lengths add up to {symbols.sum()}"
        )
    inside = np.arange(symbols.max(initial=0)) < symbols[:, None]
    padded = np.zeros(inside.shape, np.int64)
    padded[inside] = targets
    return symbols, padded


def _with_blanks(rows: np.ndarray, symbols: np.ndarray, blank: int, classes: int) -> np.ndarray:
    """Return targets (B, S) as labels (B, 2S+1), blanks between; blanks alone in the padding."""
    inside = np.arange(rows.shape[1]) < symbols[:, None]
    wrong = inside & ((rows < 0) | (rows >= classes))
    if wrong.any():
        b, s = np.argwhere(wrong)[0]
        raise IndexError(
            f"ctc_loss: target {s} of sequence {b} is {rows[b, s]}, expected 0 to {classes - 1}"
        )
    if (inside & (rows == blank)).any():
        b, s = np.argwhere(inside & (rows == blank))[0]
        raise ValueError(f"ctc_loss: target {s} of sequence {b} is the blank, {blank}")
    labels = np.full((len(rows), 2 * rows.shape[1] + 1), blank, np.int64)
    labels[:, 1::2] = np.where(inside, rows, blank)
    return labels
