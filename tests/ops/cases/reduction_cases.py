"""Cases of reductions, softmaxes, running sums and layer_norm."""

import numpy as np

from ops.cases.table import case, real
from tinygrad_seq import ops

FORMS = (
    ((3, 4), {}),
    ((3, 4), {"axis": 0}),
    ((2, 3, 4), {"axis": -1}),
    ((2, 3, 4), {"axis": -2, "keepdims": True}),
    ((2, 3, 4), {"axis": (0, 2)}),
    ((2, 3, 4), {"axis": (-1, 0), "keepdims": True}),
    ((2, 3), {"axis": (), "keepdims": False}),
    ((1,), {}),
    ((1, 1), {"axis": -1}),
    ((), {}),
    ((), {"axis": (), "keepdims": True}),
    ((0, 3), {"axis": 1}),
)
EMPTY = (((0, 3), {"axis": 0}), ((0,), {}))


def _logsumexp(x, axis=None, keepdims=False):
    return np.log(np.sum(np.exp(x), axis=axis, keepdims=keepdims))


def _mean(x, **form):
    return np.sum(x, **form) / (np.size(x) / max(np.size(np.sum(x, **form)), 1))


def _var(x, axis=None, keepdims=False):
    centred = x - _mean(x, axis=axis, keepdims=True)
    return _mean(centred * centred, axis=axis, keepdims=keepdims)


REDUCTIONS = {
    "sum": np.add.reduce,
    "mean": _mean,
    "max": np.amax,
    "min": lambda x, **form: -np.amax(-x, **form),
    "var": _var,
    "logsumexp": _logsumexp,
}


def _ufunc_form(f, form):
    """Return f with this axis and keepdims (the reduce of a ufunc would take axis 0)."""
    return lambda x: f(x, **{"axis": None, **form})


def _reductions():
    for op, f in REDUCTIONS.items():
        for shape, form in FORMS:
            call = getattr(ops, op)
            yield case(
                op, [real(*shape)], _ufunc_form(f, form), lambda x, c=call, k=form: c(x, **k), form
            )
    for shape, form in EMPTY:
        yield case(
            "sum",
            [real(*shape)],
            lambda x, k=form: x.sum(**k),
            lambda x, k=form: ops.sum(x, **k),
            form,
        )
    for shape, form in FORMS:
        if form.get("axis") == () or shape in ((), (1,), (1, 1)):
            continue  # the root of a variance of 0 has no derivative
        yield case(
            "std",
            [real(*shape)],
            lambda x, k=form: np.sqrt(_var(x, **k)),
            lambda x, k=form: ops.std(x, **k),
            form,
        )
    for op in ("var", "std"):
        yield case(
            op,
            [real(3, 4)],
            lambda x, op=op: (
                ((x - x.mean(0)) ** 2).sum(0) ** (0.5 if op == "std" else 1)
                / 2 ** (0.5 if op == "std" else 1)
            ),
            lambda x, op=op: getattr(ops, op)(x, axis=0, ddof=1),
            "ddof",
        )


def _counted():
    """Yield cases of what has no gradient."""
    for op in ("argmax", "argmin"):
        sign = 1 if op == "argmax" else -1
        for shape, axis in (((3, 4), None), ((3, 4), 0), ((2, 3, 4), -1), ((1,), 0), ((), None)):
            yield case(
                op,
                [real(*shape)],
                lambda x, a=axis, s=sign: (
                    np.argsort(-s * x, axis=a, kind="stable").take(0, axis=a or 0)
                    if a != -1
                    else np.argsort(-s * x, axis=a, kind="stable")[..., 0]
                ),
                lambda x, op=op, a=axis: getattr(ops, op)(x, axis=a),
                axis,
            )
    for op, minimum in (("all", True), ("any", False)):
        for shape, axis in (((3, 4), None), ((3, 2), 0), ((3, 4), (0, 1)), ((0, 2), 0), ((), None)):
            yield case(
                op,
                [real(*shape)],
                lambda x, m=minimum, a=axis: (np.logical_and if m else np.logical_or).reduce(
                    x > 0.5, axis=a
                ),
                lambda x, op=op, a=axis: getattr(ops, op)(x > 0.5, axis=a),
                axis,
            )


def _along_an_axis():
    for shape, axis in (
        ((3, 4), -1),
        ((3, 4), 0),
        ((2, 3, 4), 1),
        ((1,), 0),
        ((2, 1), -1),
        ((0, 3), 1),
    ):
        for op, f in (
            ("softmax", lambda x, a=axis: np.exp(x) / np.exp(x).sum(a, keepdims=True)),
            ("log_softmax", lambda x, a=axis: x - np.log(np.exp(x).sum(a, keepdims=True))),
        ):
            yield case(
                op, [real(*shape)], f, lambda x, op=op, a=axis: getattr(ops, op)(x, axis=a), axis
            )
    for shape, axis in (
        ((3, 4), None),
        ((3, 4), 0),
        ((2, 3, 4), -2),
        ((1,), 0),
        ((0, 3), 0),
        ((), None),
    ):
        yield case(
            "cumsum",
            [real(*shape)],
            lambda x, a=axis: np.add.accumulate(x.reshape(-1) if a is None else x, axis=a or 0),
            lambda x, a=axis: ops.cumsum(x, axis=a),
            axis,
        )


def _normalised(x, n, eps=1e-5):
    axes = tuple(range(-n, 0))
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)


def _layer_norms():
    yield case(
        "layer_norm", [real(3, 4)], lambda x: _normalised(x, 1), lambda x: ops.layer_norm(x, (4,))
    )
    yield case(
        "layer_norm",
        [real(2, 3, 4), real(4), real(4)],
        lambda x, w, b: _normalised(x, 1, 0.1) * w + b,
        lambda x, w, b: ops.layer_norm(x, (4,), w, b, eps=0.1),
    )
    yield case(
        "layer_norm",
        [real(2, 3, 4), real(3, 4), real(3, 4)],
        lambda x, w, b: _normalised(x, 2) * w + b,
        lambda x, w, b: ops.layer_norm(x, (3, 4), w, b),
    )
    yield case("layer_norm", [real(0, 4)], lambda x: x, lambda x: ops.layer_norm(x, (4,)))


CASES = [*_reductions(), *_counted(), *_along_an_axis(), *_layer_norms()]
