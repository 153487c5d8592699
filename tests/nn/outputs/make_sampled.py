"""Make golden/data/sampled.safetensors with TensorFlow; `--check` compares with the stored.

    pip install tensorflow-cpu safetensors
    python tests/nn/outputs/make_sampled.py

Made with tensorflow-cpu 2.21.0. Losses and gradients in float64; expected counts of TensorFlow's
own samplers in float32, in which it computes them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

sys.path.insert(0, str(Path(__file__).parents[2]))

from golden.store import differences, save
from sampled_cases import CASES, COUNTS, DRAWS, FILE, Case, K, N, V, expected_counts


def losses(case: Case) -> dict[str, np.ndarray]:
    """Return the losses of one case and the gradients of their sum."""
    arrays, targets = case.arrays()
    tensors = {key: tf.Variable(array) for key, array in arrays.items()}
    expected = expected_counts(case)
    function = {"sampled_softmax": tf.nn.sampled_softmax_loss, "nce": tf.nn.nce_loss}[case.loss]
    with tf.GradientTape() as tape:
        loss = function(
            weights=tensors["weight"],
            biases=tensors["bias"],
            labels=targets[:, None],
            inputs=tensors["hidden"],
            num_sampled=K,
            num_classes=V,
            sampled_values=(case.samples, expected[targets][:, None], expected[case.samples]),
        )
    found = {"loss": loss} | {
        f"{key}.grad": tf.convert_to_tensor(g) for key, g in tape.gradient(loss, tensors).items()
    }
    return {f"{case.name}/float64/{key}": value.numpy() for key, value in found.items()}


def samples(sampler: str, unique: bool, seed: int) -> dict[str, np.ndarray]:
    """Return classes that TensorFlow's sampler drew, and how often it expects every class."""
    every = np.arange(V)[:, None]
    common = {"num_true": 1, "num_sampled": K, "unique": unique, "range_max": V, "seed": seed}
    if DRAWS[sampler] is None:
        draw, own = tf.random.log_uniform_candidate_sampler, {}
    else:
        draw = tf.random.fixed_unigram_candidate_sampler
        own = {"unigrams": COUNTS.tolist(), "distortion": DRAWS[sampler]}
    classes, expected, _ = draw(every, **common, **own)
    name = f"{sampler}-{'unique' if unique else 'repeats'}-{seed}/float32"
    return {
        f"{name}/classes": classes.numpy().astype(np.float32),
        f"{name}/expected": expected.numpy()[:, 0],
    }


def main() -> int:
    """Make or check the file; return the exit status."""
    arrays: dict[str, np.ndarray] = {}
    for case in CASES:
        arrays |= losses(case)
    for sampler in DRAWS:
        for seed in (1, 2, 3):
            arrays |= samples(sampler, True, seed)
        arrays |= samples(sampler, False, 1)
    assert arrays[f"{CASES[0].name}/float64/loss"].shape == (N,)
    if "--check" in sys.argv[1:]:
        failures = differences(FILE, arrays)
        print(f"{FILE}: {len(arrays)} arrays compared", *failures, sep="\n")
        return 1 if failures else 0
    print(save(FILE, arrays, {"made_with": f"tensorflow {tf.__version__}"}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
