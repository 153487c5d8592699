"""Pearson's and Spearman's correlation against values that SciPy gave, and their laws."""

import math

import numpy as np
import pytest

from tinygrad_seq.word2vec.vectors.agreement import pearson, ranks, spearman

X = [1, 2, 2, 3, 5, 4, 7, 7.5, 9, -1]
Y = [2, 1, 4, 3, 3, 8, 6, 9, 7.5, 0]


def test_values_of_scipy():
    assert pearson(X, Y) == pytest.approx((0.8258045468631218, 0.0032458689508776447), rel=1e-12)
    assert spearman(X, Y) == pytest.approx((0.8109756097560976, 0.004415507869865716), rel=1e-12)
    x, y = [3, 1, 2, 5, 4], [1, 5, 2, 4, 3]
    assert pearson(x, y) == pytest.approx((-0.1, 0.872888571569538), rel=1e-12)


def test_equal_numbers_share_their_rank():
    assert ranks(np.array([5, 1, 5, 7, 5, 1])).tolist() == [4, 1.5, 4, 6, 4, 1.5]


def test_no_correlation_is_likely_and_perfect_ones_are_not():
    assert pearson([1, 0, -1, 0], [0, 1, 0, -1]) == (0, 1)
    assert spearman([1, 2, 3], [10, 100, 1000]) == (1, 0)
    assert spearman([1, 2, 3], [3, 2, 1]) == (-1, 0)
    assert pearson([1, 2], [7, 3]) == (-1, 1)


def test_pvalue_of_four_pairs_is_linear():
    """Student's t with 2 degrees of freedom: P = 1 - |r|."""
    for y in ([1, 2, 3, 7], [4, 1, 3, -5], [0, 0, 1, 0]):
        r, p = pearson([1, 2, 3, 4], y)
        assert p == pytest.approx(1 - abs(r), abs=1e-14)


def test_many_pairs_keep_small_pvalues():
    x = np.arange(2000.0)
    y = x + 1000 * np.sin(x)
    assert pearson(x, y) == pytest.approx((0.6319231383316595, 2.0425700823933682e-223), rel=1e-9)
    assert spearman(x, y) == pytest.approx((0.6098469264617316, 4.870761716737219e-204), rel=1e-9)


def test_units_do_not_matter():
    for scale in (1e-200, 1e200):
        scaled = pearson(np.array(X) * scale, np.array(Y) / scale)
        assert scaled == pytest.approx(pearson(X, Y), rel=1e-12)


def test_a_constant_correlates_with_nothing():
    for function in (pearson, spearman):
        assert all(map(math.isnan, function([1, 2, 3], [0.1, 0.1, 0.1])))


@pytest.mark.parametrize("pair", [([1], [1]), ([], []), ([1, 2], [1, 2, 3]), ([[1, 2]], [[1, 2]])])
def test_lists_that_do_not_fit(pair):
    with pytest.raises(ValueError, match="expected"):
        pearson(*pair)


def test_not_finite():
    for odd in (math.nan, math.inf):
        with pytest.raises(ValueError, match="not finite"):
            pearson([1, 2, odd], [1, 2, 3])
        with pytest.raises(ValueError, match="not finite"):
            spearman([1, 2, odd], [1, 2, 3])
