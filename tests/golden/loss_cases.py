"""Losses, activations, normalisation and lookup that have golden values, as data; NumPy only."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product

import numpy as np
from numpy.typing import DTypeLike

from golden.formula import indices, positive, probabilities, values

N, C, T = 6, 4, 3
IGNORED = 2
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Argument:
    """One array argument: how the formula makes it, and whether its gradient is stored.

    kind: values (over -scale..scale), positive (over 0.2..scale), unit (over 0..1),
    probabilities (sum to one along `axis`), indices (from `lower` to below `upper`), signs (±1).
    """

    shape: tuple[int, ...]
    kind: str = "values"
    scale: float = 1.0
    upper: int = C
    lower: int = 0
    axis: int = -1
    differentiable: bool = False

    def array(self, key: str, dtype: DTypeLike) -> np.ndarray:
        """Return the array; indices are int64 whatever the dtype."""
        if self.kind == "values":
            return values(self.shape, key, self.scale, dtype)
        if self.kind == "positive":
            return positive(self.shape, key, 0.2, self.scale, dtype)
        if self.kind == "unit":
            return positive(self.shape, key, 0.0, 1.0, dtype)
        if self.kind == "probabilities":
            return probabilities(self.shape, key, self.axis, dtype)
        if self.kind == "indices":
            return np.asarray(self.lower + indices(self.shape, key, self.upper - self.lower))
        if self.kind == "signs":
            return 2 * indices(self.shape, key, 2) - 1
        raise ValueError(f"{key}: no kind of argument {self.kind!r}")


@dataclass(frozen=True)
class FunctionCase:
    """One call: `function(**arrays, **options)`, by the names of torch.nn.functional."""

    function: str
    variant: str
    arguments: dict[str, Argument]
    options: dict[str, object] = field(default_factory=dict)

    file = "losses"

    @property
    def name(self) -> str:
        """Stable and unique."""
        return f"{self.function}-{self.variant}"

    def arrays(self, dtype: DTypeLike = np.float64) -> Arrays:
        """Return the array arguments by name."""
        return {key: argument.array(key, dtype) for key, argument in self.arguments.items()}

    @property
    def differentiable(self) -> tuple[str, ...]:
        """Names of the arguments whose gradients are stored."""
        return tuple(key for key, argument in self.arguments.items() if argument.differentiable)


def result_weight(shape: tuple[int, ...], dtype: DTypeLike = np.float64) -> np.ndarray:
    """Return the cotangent of the result: gradients are those of sum(result * weight)."""
    return values(shape, "result.weight", 1.0, dtype)


def variable(shape: tuple[int, ...], scale: float = 2.0) -> Argument:
    """Return an argument spread over -scale..scale whose gradient is stored."""
    return Argument(shape, scale=scale, differentiable=True)


LOGITS = {"flat": (N, C), "sequence": (N, C, T), "single": (C,)}
TARGETS: dict[str, tuple[int, ...]] = {"flat": (N,), "sequence": (N, T), "single": ()}
CLASS_WEIGHT = Argument((C,), "positive", 2.0)


def classification(function: str, form: str, weighted: bool, **options: object) -> FunctionCase:
    """Return a case whose targets are class indices."""
    arguments = {"input": variable(LOGITS[form]), "target": Argument(TARGETS[form], "indices")}
    words = [form] + ["weight"] * weighted + [f"{k}={v}" for k, v in options.items()]
    if weighted:
        arguments["weight"] = CLASS_WEIGHT
    return FunctionCase(function, "-".join(words), arguments, options)


def soft_classification(form: str, weighted: bool, **options: object) -> FunctionCase:
    """Return a cross-entropy whose targets are class probabilities."""
    shape = LOGITS[form]
    axis = 0 if form == "single" else 1
    target = Argument(shape, "probabilities", axis=axis, differentiable=True)
    arguments = {"input": variable(shape), "target": target}
    words = ["soft", form] + ["weight"] * weighted + [f"{k}={v}" for k, v in options.items()]
    if weighted:
        arguments["weight"] = CLASS_WEIGHT
    return FunctionCase("cross_entropy", "-".join(words), arguments, options)


def classifications() -> list[FunctionCase]:
    """Return the cases of cross_entropy and nll_loss."""
    reductions = ("none", "sum", "mean")
    every = list(product(reductions, (False, True)))
    cases = [classification("cross_entropy", "flat", w, reduction=r) for r, w in every]
    cases += [classification("nll_loss", "flat", w, reduction=r) for r, w in every]
    cases += [soft_classification("flat", w, reduction=r) for r, w in every]
    cases += [
        classification(
            "cross_entropy", form, w, ignore_index=IGNORED, label_smoothing=smoothing, reduction=r
        )
        for form, smoothing, (r, w) in product(("flat", "sequence"), (0.0, 0.1), every)
    ]
    for w, r in zip((False, True, True), reductions, strict=True):
        cases += [classification("nll_loss", "sequence", w, ignore_index=IGNORED, reduction=r)]
        cases += [soft_classification("sequence", w, label_smoothing=0.2, reduction=r)]
        cases += [classification("cross_entropy", "single", w, label_smoothing=0.1, reduction=r)]
        cases += [soft_classification("single", w, reduction=r)]
    return cases


def pointwise_losses() -> list[FunctionCase]:
    """Return the cases of the losses that compare element by element."""
    cases: list[FunctionCase] = []
    optional = {"weight": Argument((N, C), "positive", 2.0), "pos_weight": CLASS_WEIGHT}
    for reduction in ("none", "sum", "mean"):
        options: dict[str, object] = {"reduction": reduction}
        for names in ((), ("weight",), ("pos_weight",), ("weight", "pos_weight")):
            target = Argument((N, C), "unit", differentiable=True)
            arguments = {"input": variable((N, C), 4.0), "target": target}
            arguments |= {key: optional[key] for key in names}
            variant = "-".join((*names, f"reduction={reduction}"))
            function = "binary_cross_entropy_with_logits"
            cases.append(FunctionCase(function, variant, arguments, options))
        pair = {"input": variable((N, C)), "target": variable((N, C))}
        variant = f"reduction={reduction}"
        cases += [FunctionCase(f, variant, pair, options) for f in ("mse_loss", "l1_loss")]
    return cases


ACTIVATIONS: tuple[tuple[str, str, dict[str, object]], ...] = (
    ("relu", "plain", {}),
    ("leaky_relu", "plain", {}),
    ("leaky_relu", "slope", {"negative_slope": 0.2}),
    ("elu", "plain", {}),
    ("elu", "alpha", {"alpha": 0.7}),
    ("gelu", "none", {"approximate": "none"}),
    ("gelu", "tanh", {"approximate": "tanh"}),
    ("softplus", "plain", {}),
    ("softplus", "threshold", {"beta": 2.0, "threshold": 3.0}),
    ("logsigmoid", "plain", {}),
    ("sigmoid", "plain", {}),
    ("tanh", "plain", {}),
    ("softmax", "last", {"dim": -1}),
    ("softmax", "first", {"dim": 0}),
    ("log_softmax", "last", {"dim": -1}),
    ("log_softmax", "first", {"dim": 0}),
    ("logsumexp", "last", {"dim": -1}),
    ("logsumexp", "kept", {"dim": 0, "keepdim": True}),
)


def activations() -> list[FunctionCase]:
    """Return each activation on moderate inputs, and on inputs where exp would overflow."""
    return [
        FunctionCase(function, f"{variant}-{size}", {"input": variable((3, 7), scale)}, options)
        for function, variant, options in ACTIVATIONS
        for size, scale in (("moderate", 4.0), ("extreme", 1000.0))
    ]


def structured() -> list[FunctionCase]:
    """Return the cases of cosine_similarity, layer_norm and embedding."""
    pair = {"x1": variable((N, C)), "x2": variable((N, C))}
    tiny = {"x1": variable((N, C), 1e-3), "x2": variable((N, C), 1e-3)}
    spread = {"x1": variable((N, 1, C)), "x2": variable((T, C))}
    cases = [
        FunctionCase("cosine_similarity", "rows", pair, {"dim": 1}),
        FunctionCase("cosine_similarity", "columns", pair, {"dim": 0}),
        FunctionCase("cosine_similarity", "broadcast", spread, {"dim": -1}),
        FunctionCase("cosine_similarity", "eps", tiny, {"dim": -1, "eps": 1e-2}),
    ]
    x, affine = variable((N, T, C)), {"weight": variable((C,)), "bias": variable((C,))}
    two = {"weight": variable((T, C)), "bias": variable((T, C))}
    one_axis: dict[str, object] = {"normalized_shape": (C,)}
    cases += [
        FunctionCase("layer_norm", "bare", {"input": x}, one_axis),
        FunctionCase("layer_norm", "affine", {"input": x, **affine}, one_axis),
        FunctionCase("layer_norm", "two", {"input": x, **two}, {"normalized_shape": (T, C)}),
        FunctionCase("layer_norm", "eps", {"input": x, **affine}, {**one_axis, "eps": 0.1}),
    ]
    table = variable((5, C))
    rows = Argument((2, 4), "indices", upper=5)
    embedded = {"input": rows, "weight": table}
    variants: dict[str, dict[str, object]] = {
        "plain": {},
        "padding": {"padding_idx": int(rows.array("input", np.int64)[0, 0])},
        "max_norm": {"max_norm": 2.2},
        "max_norm_1": {"max_norm": 4.0, "norm_type": 1.0},
        "scaled": {"scale_grad_by_freq": True},
    }
    cases += [FunctionCase("embedding", v, embedded, options) for v, options in variants.items()]
    return cases


def alignments() -> list[FunctionCase]:
    """Return the cases of ctc_loss; its log_probs are log_softmax of the input, classes last."""
    frames, symbols = (9, 5, 1, 9, 0, 4), (4, 2, 1, 0, 0, 3)  # each target fits
    logits = {"input": variable((9, N, C))}
    lengths: dict[str, object] = {"input_lengths": frames, "target_lengths": symbols}
    cases: list[FunctionCase] = []
    for reduction in ("none", "sum", "mean"):
        options = {**lengths, "reduction": reduction}
        last = {"target": Argument((N, 4), "indices", upper=C - 1)}
        joined = {"target": Argument((sum(symbols),), "indices", lower=1)}
        cases += [
            FunctionCase(
                "ctc_loss", f"last-{reduction}", logits | last, {"blank": C - 1} | options
            ),
            FunctionCase("ctc_loss", f"joined-{reduction}", logits | joined, options),
        ]
    repeated = {"target": Argument((N, 4), "indices", lower=1, upper=2)}
    options = {"input_lengths": (9, 8, 7, 6, 3, 0), "target_lengths": (4, 4, 4, 3, 2, 1)}
    every = {**options, "reduction": "sum", "zero_infinity": True}
    single: dict[str, object] = {"input_lengths": (9,), "target_lengths": (3,)}
    one = {"input": variable((9, C)), "target": Argument((3,), "indices", lower=1)}
    return [
        *cases,
        FunctionCase("ctc_loss", "repeated, some too long", logits | repeated, every),
        FunctionCase("ctc_loss", "unbatched", one, single),
    ]


def similarities() -> list[FunctionCase]:
    """Return the cases of the losses that compare vectors."""
    names = ("anchor", "positive", "negative")
    triple = {name: variable((N, C)) for name in names}
    pair = {"input1": variable((N, C)), "input2": variable((N, C))}
    sign = {"target": Argument((N,), "signs")}
    cases: list[FunctionCase] = []
    variants: tuple[dict[str, object], ...] = (
        {},
        {"margin": 0.5, "p": 1.0},
        {"p": 3.0, "swap": True},
        {"margin": 2.0, "eps": 0.1, "swap": True},
    )
    for reduction in ("none", "sum", "mean"):
        options: dict[str, object] = {"reduction": reduction}
        for variant in variants:
            words = [f"{k}={v}" for k, v in variant.items()] + [reduction]
            name = "-".join(words)
            cases.append(FunctionCase("triplet_margin_loss", name, triple, variant | options))
        for margin in (0.0, 0.3):
            chosen = {"margin": margin, "reduction": reduction}
            name = f"margin={margin}-{reduction}"
            cases.append(FunctionCase("cosine_embedding_loss", name, pair | sign, chosen))
    return cases


FUNCTIONS = (
    *classifications(),
    *pointwise_losses(),
    *activations(),
    *structured(),
    *alignments(),
    *similarities(),
)
