"""The stored golden files and the lists of cases describe the same things."""

from itertools import combinations

import numpy as np
import pytest

from golden.cases import CELLS, KINDS, RECURRENT
from golden.formula import probabilities, values
from golden.loss_cases import FUNCTIONS
from golden.optim_cases import CLIPS, OPTIMISERS, SCHEDULES, SPARSE
from golden.store import DTYPES, gap, grouped, load

CASES = (*RECURRENT, *CELLS, *FUNCTIONS, *OPTIMISERS, *SPARSE, *CLIPS, *SCHEDULES)
FILES = sorted({case.file for case in CASES})


@pytest.mark.parametrize("file", FILES)
def test_every_case_is_stored_and_nothing_else(file):
    names = [case.name for case in CASES if case.file == file]
    assert len(names) == len(set(names))
    float64_only = {case.name for case in SCHEDULES}
    wanted = {f"{n}/{d}" for n in names for d in DTYPES if d == "float64" or n not in float64_only}
    assert grouped(file).keys() == wanted


@pytest.mark.parametrize("file", FILES)
def test_values_are_finite_and_of_their_dtype(file):
    for key, array in load(file).items():
        assert str(array.dtype) == key.split("/")[-2], key
        assert np.isfinite(array).all(), key


@pytest.mark.parametrize("file", FILES)
def test_float32_is_close_to_float64(file):
    error, key = gap(load(file))
    assert 0 < error < 5e-6, key


def test_any_three_features_of_a_recurrent_case_meet_in_every_kind():
    for kind in KINDS:
        rows = [tuple(vars(case).values())[1:] for case in RECURRENT if case.kind == kind]
        sizes = [len(set(column)) for column in zip(*rows, strict=True)]
        assert sizes == [3, 3, 2, 2, 2, 2]
        for i, j, k in combinations(range(len(sizes)), 3):
            assert len({(row[i], row[j], row[k]) for row in rows}) == sizes[i] * sizes[j] * sizes[k]


def test_the_formula_is_pinned_and_spread():
    first = values((3,), "weight_ih_l0")
    np.testing.assert_array_equal(first * 2**23, [-5985997, 2220807, 5616997])
    many = values((64, 64), "weight_ih_l0", dtype=np.float32)
    assert np.linalg.matrix_rank(many) == 64
    assert abs(many.mean()) < 0.03
    assert abs(many.std() - 3**-0.5) < 0.02
    np.testing.assert_allclose(probabilities((4, 5), "p", 1).sum(axis=1), 1, rtol=1e-14)
