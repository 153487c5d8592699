"""Cases of the losses, of dropout and of scan."""

import itertools

import numpy as np

import tinygrad_seq as tg
from ops.cases.table import case, constant, indices, positive, probabilities, real
from tinygrad_seq import ops
from tinygrad_seq.engine.backend import xp
from tinygrad_seq.engine.primitive import registry

REDUCED = {"none": lambda x: x, "sum": np.sum, "mean": np.mean}


def _log_probabilities(x):
    """Return the log of the softmax along the last axis, by its definition."""
    return np.log(np.exp(x) / np.exp(x).sum(-1, keepdims=True))


def _picked(table, targets):
    """Return table[..., target] for each target, by one-hot vectors."""
    return (table * (targets[..., None] == np.arange(table.shape[-1]))).sum(-1)


def _cross_entropies():
    for shape in ((5, 4), (1, 1), (0, 3), (4,)):
        inputs = [real(*shape), indices(shape[-1], *shape[:-1])]
        for reduction, reduced in REDUCED.items():
            if 0 in shape and reduction == "mean":
                continue
            yield case(
                "cross_entropy",
                inputs,
                lambda x, t, r=reduced: r(-_picked(_log_probabilities(x), t)),
                lambda x, t, r=reduction: ops.cross_entropy(x, t, reduction=r),
                reduction,
            )
            yield case(
                "nll_loss",
                inputs,
                lambda x, t, r=reduced: r(-_picked(x, t)),
                lambda x, t, r=reduction: ops.nll_loss(x, t, reduction=r),
                reduction,
            )
        if len(shape) == 2:
            yield case(
                "cross_entropy_rows", inputs, lambda x, t: -_picked(_log_probabilities(x), t)
            )


def _weighted(x, t, w, ignored, smoothing):
    """Return the weighted mean of smoothed cross-entropies, by loops. x (N, C, T)"""
    total = weights = 0.0
    for n in range(x.shape[0]):
        for s in range(x.shape[2]):
            if t[n, s] != ignored:
                logs = _log_probabilities(x[n, :, s])
                hard = -w[t[n, s]] * logs[t[n, s]]
                total += (1 - smoothing) * hard - smoothing * np.mean(w * logs)
                weights += w[t[n, s]]
    return np.asarray(total / weights)


def _cross_entropies_with_options():
    yield case(
        "cross_entropy",
        [real(4, 3, 2), indices(3, 4, 2), constant(3)],
        lambda x, t, w: _weighted(x, t, w, 1, 0.2),
        lambda x, t, w: ops.cross_entropy(x, t, w, ignore_index=1, label_smoothing=0.2),
        "weight, ignore_index, label_smoothing",
    )
    yield case(
        "cross_entropy",
        [real(4, 3), probabilities(4, 3), constant(3)],
        lambda x, q, w: -((0.9 * q + 0.1 / 3) * w * _log_probabilities(x)).sum() / 4,
        lambda x, q, w: ops.cross_entropy(x, q, w, label_smoothing=0.1),
        "probabilities",
    )
    yield case(
        "nll_loss",
        [real(4, 3, 2), indices(3, 4, 2), constant(3)],
        lambda x, t, w: -(_picked(np.moveaxis(x, 1, -1), t) * w[t] * (t != 2)),
        lambda x, t, w: ops.nll_loss(x, t, w, ignore_index=2, reduction="none"),
        "weight, ignore_index",
    )


def _pointwise():
    for shape in ((3, 4), (1,), ()):
        pair = [real(*shape), real(*shape)]
        for reduction, reduced in REDUCED.items():
            for op, f in (
                ("mse_loss", lambda x, y: x * x - 2 * x * y + y * y),
                ("l1_loss", lambda x, y: np.maximum(x, y) - np.minimum(x, y)),
                (
                    "binary_cross_entropy_with_logits",
                    lambda x, y: y * np.log1p(np.exp(-x)) + (1 - y) * np.log1p(np.exp(x)),
                ),
            ):
                yield case(
                    op,
                    pair,
                    lambda x, y, f=f, r=reduced: r(f(x, y)),
                    lambda x, y, op=op, r=reduction: getattr(ops, op)(x, y, reduction=r),
                    reduction,
                )
    yield case(
        "binary_cross_entropy_with_logits",
        [real(3, 4), positive(3, 4), constant(3, 4), constant(4)],
        lambda x, y, w, p: np.mean(
            w * (p * y * np.log1p(np.exp(-x)) + (1 - y) * np.log1p(np.exp(x)))
        ),
        lambda x, y, w, p: ops.binary_cross_entropy_with_logits(x, y, weight=w, pos_weight=p),
        "weight, pos_weight",
    )


def _cosine(x, y, axis=-1):
    return (x * y).sum(axis) / np.sqrt((x * x).sum(axis) * (y * y).sum(axis))


def _similarities():
    for x, y, axis in (((3, 4), (3, 4), -1), ((3, 4), (3, 4), 0), ((3, 1, 4), (2, 4), -1)):
        yield case(
            "cosine_similarity",
            [real(*x), real(*y)],
            lambda x, y, a=axis: _cosine(x, y, a),
            lambda x, y, a=axis: ops.cosine_similarity(x, y, axis=a),
            axis,
        )
    for shape in ((1, 1), (0, 3)):
        yield case("cosine_similarity", [real(*shape), real(*shape)], _cosine)


def _distance(x, y, p=2.0, eps=1e-6):
    return (np.abs(x - y + eps) ** p).sum(-1) ** (1 / p)


def _triplet(a, p, n, margin=1.0, swap=False):
    apart = np.minimum(_distance(a, n), _distance(p, n)) if swap else _distance(a, n)
    return np.maximum(_distance(a, p) - apart + margin, 0)


def _ge2e(x):
    """Return cosines (N, M, N) with centroids, the own one without the utterance, by loops."""
    out = np.zeros((*x.shape[:2], len(x)))
    for j, i, k in np.ndindex(out.shape):
        others = [m for m in range(x.shape[1]) if k != j or m != i]
        out[j, i, k] = _cosine(x[j, i], x[k, others].mean(axis=0))
    return out


def _ge2e_losses(s):
    """Return the softmax and the contrast losses (N, M) of similarities (N, M, N), by loops."""
    soft, contrast = np.zeros(s.shape[:2]), np.zeros(s.shape[:2])
    sigma = 1 / (1 + np.exp(-s))
    for j, i in np.ndindex(soft.shape):
        soft[j, i] = np.log(np.exp(s[j, i]).sum()) - s[j, i, j]
        contrast[j, i] = 1 - sigma[j, i, j] + max(np.delete(sigma[j, i], j))
    return soft, contrast


def _similarity_losses():
    for shape in ((4, 3), (2, 2, 3), (1, 1)):
        triple = [real(*shape)] * 3
        yield case("pairwise_distance", triple[:2], _distance)
        yield case("triplet_loss", triple, lambda *xs: np.asarray(_triplet(*xs).mean()))
        yield case(
            "triplet_loss",
            triple,
            lambda *xs: _triplet(*xs, 0.3, True),
            lambda *xs: ops.triplet_loss(*xs, margin=0.3, swap=True, reduction="none"),
            "swap",
        )
    signs = np.array([1, -1, -1, 1])
    for reduction, reduced in REDUCED.items():
        yield case(
            "cosine_embedding_loss",
            [real(4, 3), real(4, 3)],
            lambda x, y, r=reduced: np.asarray(
                r(np.where(signs > 0, 1 - _cosine(x, y), np.maximum(_cosine(x, y) - 0.1, 0)))
            ),
            lambda x, y, r=reduction: ops.cosine_embedding_loss(x, y, signs.tolist(), 0.1, r),
            reduction,
        )
        for n, name in enumerate(("ge2e_softmax_loss", "ge2e_contrast_loss")):
            yield case(
                name,
                [real(3, 2, 3)],
                lambda s, r=reduced, n=n: np.asarray(r(_ge2e_losses(s)[n])),
                lambda s, r=reduction, name=name: getattr(ops, name)(s, r),
                reduction,
            )
    for shape in ((3, 3, 4), (1, 2, 2)):
        yield case("ge2e_similarity", [real(*shape)], _ge2e)


def read_alignment(path, blank):
    """Return the symbols that an alignment stands for: runs as one, without blanks."""
    return [symbol for symbol, _ in itertools.groupby(path) if symbol != blank]


def alignments_nll(x, targets, blank):
    """Return -log Σ exp(score) over all alignments of one sequence with its target. x (T, V)"""
    total = 0.0
    for path in itertools.product(range(x.shape[1]), repeat=len(x)):
        if read_alignment(path, blank) == list(targets):
            total += np.exp(sum(x[t, v] for t, v in enumerate(path)))
    with np.errstate(divide="ignore"):
        return -np.log(total)


def _ctc_losses():
    for targets, frames, symbols, blank in (
        ([[1, 2], [1, 1], [2, 0]], [4, 3, 4], [2, 2, 1], 0),
        ([[0, 9], [1, 0], [9, 9]], [1, 4, 0], [1, 2, 0], 2),
        ([[], []], [2, 3], [0, 0], 1),
    ):
        for reduction, reduced in REDUCED.items():
            scale = np.maximum(symbols, 1) if reduction == "mean" else 1

            def reference(x, b=blank, r=reduced, k=scale, n=targets, f=frames, s=symbols):
                rows = zip(f, s, n, strict=True)
                losses = [alignments_nll(x[:f, i], n[:s], b) for i, (f, s, n) in enumerate(rows)]
                return np.asarray(r(np.array(losses) / k))

            def function(x, b=blank, r=reduction, n=targets, f=frames, s=symbols):
                return ops.ctc_loss(x, np.array(n, int), f, s, b, r)

            yield case(
                "ctc_loss", [real(4, len(frames), 3)], reference, function, f"{targets} {reduction}"
            )


def _ctc_alignments():
    labels, frames, symbols = [[0, 1, 0, 2, 0], [0, 1, 0, 1, 0]], np.array([4, 3]), np.array([2, 2])

    definition = registry["ctc_alignments"].definition

    def function(x):
        op = ops.ctc_alignments if isinstance(x.array, np.ndarray) else definition
        return op(x, *(xp(x.array).asarray(a) for a in (np.array(labels), frames, symbols)))

    def reference(x):
        return np.array([alignments_nll(x[:4, 0], [1, 2], 0), alignments_nll(x[:3, 1], [1, 1], 0)])

    yield case("ctc_alignments", [real(4, 2, 3)], reference, function)


def _log_partition(x, moves, start, end, lengths):
    """Return log Σ exp(score) over all sequences of tags, one by one."""
    totals = np.zeros(x.shape[1])
    for b, n in enumerate(lengths):
        total = 0.0
        for y in itertools.product(range(x.shape[2]), repeat=n):
            score = sum(x[t, b, k] for t, k in enumerate(y))
            score += sum(moves[i, j] for i, j in itertools.pairwise(y))
            total += np.exp(score + (start[y[0]] + end[y[-1]] if n else 0.0))
        totals[b] = np.log(total)
    return totals


def _crf_log_partitions():
    for shape, lengths in (((3, 2, 3), [3, 1]), ((2, 3, 2), [2, 0, 1]), ((2, 1, 1), [2])):
        K = shape[2]
        yield case(
            "crf_log_partition",
            [real(*shape), real(K, K), real(K), real(K)],
            lambda *xs, n=lengths: _log_partition(*xs, n),
            lambda *xs, n=lengths: ops.crf_log_partition(*xs, n),
            f"{lengths}",
        )


def _dropped(x, p):
    kept = np.random.Generator(np.random.PCG64(7)).random(x.shape, dtype=np.float32) < 1 - p
    return x * kept / (1 - p)


def _dropouts():
    for shape in ((3, 4), (1,), (), (0, 2)):
        yield case(
            "dropout",
            [real(*shape)],
            lambda x: _dropped(x, 0.4),
            lambda x: ops.dropout(x, 0.4, generator=tg.Generator(7)),
        )
    for p, training, factor in ((0.4, False, 1), (0.0, True, 1), (1.0, True, 0)):
        yield case(
            "dropout",
            [real(3)],
            lambda x, f=factor: x * f,
            lambda x, p=p, t=training: ops.dropout(x, p, training=t),
            (p, training),
        )


def _scanned(x, h, w, lengths=None, reverse=False):
    """Return (h, outputs) of h = tanh(x + h W), y = 2 h, by loops over time and batch."""
    h, ys = h.copy(), np.zeros_like(x)
    steps = range(len(x))
    for t in reversed(steps) if reverse else steps:
        for b in range(h.shape[0]):
            if lengths is None or t < lengths[b]:
                h[b] = np.tanh(x[t, b] + h[b] @ w)
                ys[t, b] = 2 * h[b]
    return h, ys


def _step(w):
    def step(h, x):
        h = ops.tanh(x + h @ w)
        return h, 2 * h

    return step


def _scans():
    for shape, options in (
        ((3, 2, 4), {}),
        ((3, 3, 2), {"reverse": True}),
        ((4, 3, 2), {"lengths": [1, 4, 0]}),
        ((4, 3, 2), {"lengths": [3, 0, 1], "reverse": True}),
        ((1, 1, 1), {}),
        ((2, 0, 3), {}),
    ):
        yield case(
            "scan",
            [real(*shape), real(*shape[1:]), real(shape[2], shape[2])],
            lambda x, h, w, k=options: _scanned(x, h, w, **k),
            lambda x, h, w, k=options: ops.scan(_step(w), x, h, **k),
            options,
        )


CASES = [
    *_cross_entropies(),
    *_cross_entropies_with_options(),
    *_pointwise(),
    *_similarities(),
    *_similarity_losses(),
    *_ctc_losses(),
    *_ctc_alignments(),
    *_crf_log_partitions(),
    *_dropouts(),
    *_scans(),
]
