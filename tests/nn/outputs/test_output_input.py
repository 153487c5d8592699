"""Output layers given what they cannot use: the documented errors, which name what came."""

import numpy as np
import pytest
from nn_layers import constant, random
from output_layers import COUNTS, DRAWING, KINDS, H, K, V, classes, make

import tinygrad_seq as tg
from tinygrad_seq import nn

every_kind = pytest.mark.parametrize("kind", KINDS)
every_drawing = pytest.mark.parametrize("kind", DRAWING)

CALLS = [
    (IndexError, "targets: index 7 is out of range, expected 0 to 6", {"targets": [0, V, 1]}),
    (IndexError, "targets: index -1 is out of range", {"targets": [0, -1, 1]}),
    (TypeError, "targets are float64, expected integers", {"targets": [0.0, 1.0, 2.0]}),
    (TypeError, "targets are bool, expected integers", {"targets": np.ones(3, bool)}),
    (ValueError, r"targets are \(2,\), expected \(3,\)", {"targets": [0, 1]}),
    (ValueError, r"targets are \(3, 1\), expected \(3,\)", {"targets": [[0], [1], [2]]}),
    (ValueError, r"the input is \(3, 4\), expected \(..., 3\)", {"hidden": random(3, H + 1)}),
    (ValueError, r"the input is \(\), expected \(..., 3\)", {"hidden": np.zeros(())}),
    (TypeError, "the input is float32, expected float64", {"hidden": np.zeros((3, H), "float32")}),
    (ValueError, r"mask is \(2,\), expected \(3,\)", {"mask": [True, False]}),
    (TypeError, "mask is int64, expected booleans", {"mask": [1, 0, 1]}),
    (ValueError, "reduction is 'max', expected 'none', 'sum' or 'mean'", {"reduction": "max"}),
    (ValueError, "there is no target that counts", {"mask": [False] * 3}),
]


@pytest.mark.parametrize(("error", "message", "wrong"), CALLS, ids=[c[1][:30] for c in CALLS])
@every_kind
def test_calls(kind, error, message, wrong):
    right = {"hidden": random(3, H), "targets": [0, 1, 2]} | wrong
    hidden = constant(right.pop("hidden"))
    with pytest.raises(error, match=message):
        make(kind)(hidden, **right)


@every_kind
def test_hidden_states_that_are_no_tensor(kind):
    name = type(make(kind)).__name__
    with pytest.raises(TypeError, match=f"{name}: the input is a ndarray, expected a Tensor"):
        make(kind)(random(2, H), [0, 1])


@every_kind
def test_backends_do_not_mix(kind):
    layer = make(kind)
    with tg.backend("strict"):
        hidden, targets = constant(random(2, H)), constant(classes(2))
    with pytest.raises(TypeError, match="on strict, expected numpy"):
        layer(hidden, classes(2))
    with pytest.raises(TypeError, match="targets are on strict, expected numpy"):
        layer(constant(random(2, H)), targets)


NEGATIVES = [
    (IndexError, "negatives: index 7 is out of range", [0, V]),
    (IndexError, "negatives: index -3 is out of range", [-3]),
    (TypeError, "negatives are float64, expected integers", [0.5]),
    (ValueError, r"negatives are \(\), expected \(K,\) or \(2, 'K'\)", 3),
    (ValueError, r"negatives are \(3, 4\), expected \(K,\) or \(2, 'K'\)", classes(3, K)),
    (ValueError, r"negatives are \(1, 2, 4\)", classes(1, 2, K)),
    (ValueError, r"negatives are \(0,\), expected at least one", np.zeros(0, int)),
    (ValueError, r"negatives are \(2, 0\), expected at least one", np.zeros((2, 0), int)),
]


@pytest.mark.parametrize(("error", "message", "negatives"), NEGATIVES, ids=range(len(NEGATIVES)))
@every_drawing
def test_negatives(kind, error, message, negatives):
    with pytest.raises(error, match=message):
        make(kind)(constant(random(2, H)), classes(2), negatives=negatives)


LAYERS = {
    "FullSoftmax": lambda width, k: nn.FullSoftmax(width, k),
    "SampledSoftmax": lambda width, k: nn.SampledSoftmax(width, nn.LogUniformSampler(V), k),
    "NCE": lambda width, k: nn.NCE(width, nn.LogUniformSampler(V), k),
    "NegativeSampling": lambda width, k: nn.NegativeSampling(width, nn.UnigramSampler(COUNTS), k),
}


@pytest.mark.parametrize("name", LAYERS)
def test_sizes(name):
    for width, k in ((0, 3), (-1, 3), (3, 0), (3, -2)):
        with pytest.raises(ValueError, match=rf"{name}: \w+ is {min(width, k)}, expected at least"):
            LAYERS[name](width, k)


def test_more_distinct_samples_than_classes():
    with pytest.raises(ValueError, match="num_samples is 8, expected at most the 7 cl"):
        nn.SampledSoftmax(H, nn.LogUniformSampler(V), V + 1)
    layer = nn.SampledSoftmax(H, nn.LogUniformSampler(V), V + 1, unique=False)
    assert layer(constant(random(2, H).astype(np.float32)), classes(2)).item() > 0


def test_a_sampler_that_is_none():
    with pytest.raises(TypeError, match="NCE: sampler is a list, expected a Sampler"):
        nn.NCE(H, [1, 2, 3], 2)


@every_drawing
def test_wrong_generator(kind):
    layer = make(kind)
    layer.generator = np.random.default_rng(0)
    with pytest.raises(TypeError, match=r"generator is a Generator, expected a tg\.Generator"):
        layer(constant(random(2, H)), classes(2))


def test_only_normalised_layers_have_log_probabilities():
    assert not hasattr(make("negative"), "log_probabilities")
