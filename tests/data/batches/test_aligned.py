"""Batches of next steps and of pairs of texts: what stands where, and what is refused."""

import numpy as np
import pytest

from tinygrad_seq.data import Tokenizer, Vocabulary, next_step_batches, pair_batches


def test_targets_are_the_next_steps():
    batches = next_step_batches([[0, 5, 6, 0], [0, 7, 0], [4]], 3, shuffle=False, pad=9)
    ((x, lengths, y),) = batches
    assert x.T.tolist() == [[0, 5, 6], [0, 7, 9], [9, 9, 9]]
    assert y.T.tolist() == [[5, 6, 0], [7, 0, -100], [-100, -100, -100]]
    assert lengths.tolist() == [3, 2, 0]


def test_steps_may_be_vectors():
    steps = np.arange(12, dtype=np.float32).reshape(4, 3)
    ((x, lengths, y),) = next_step_batches([steps], 1, target_pad=0)
    np.testing.assert_array_equal(x[:, 0], steps[:-1])
    np.testing.assert_array_equal(y[:, 0], steps[1:])
    assert (x.dtype, y.dtype, lengths.tolist()) == (np.float32, np.float32, [3])


@pytest.mark.parametrize("wrong", [[], 3])
def test_a_sequence_without_steps_is_refused(wrong):
    with pytest.raises(
        ValueError, match=r"next_step_batches: sequence 1 is \(.*expected \(T, ...\)"
    ):
        next_step_batches([[1, 2], wrong], 2)


def test_pairs_for_teacher_forcing():
    source = Tokenizer("words", Vocabulary(["one", "two"], specials=("<unk>", "<pad>")))
    target = Tokenizer("words", Vocabulary(["eins", "zwei"]))
    pairs = [("One two", "eins"), ("three", "zwei drei")]
    ((x, lengths, y, sizes),) = pair_batches(pairs, source, target, 2, shuffle=False)
    assert x.T.tolist() == [[2, 3], [0, 1]]
    assert lengths.tolist() == [2, 1]
    assert y.T.tolist() == [[2, 4, 3, 0], [2, 5, 1, 3]]  # <sos> ... <eos>
    assert sizes.tolist() == [3, 4]
    with pytest.raises(ValueError, match="drop_last, and 2 sequences fill no batch of 3"):
        pair_batches(pairs, source, target, 3, drop_last=True)


@pytest.mark.parametrize(
    ("specials", "said"),
    [
        (("<unk>", "<sos>", "<eos>"), "no <pad> among its specials"),
        (("<pad>", "<unk>", "<eos>"), "no '<sos>' among the specials"),
        (("<pad>", "<unk>", "<sos>"), "no '<eos>' among the specials"),
    ],
)
def test_specials_that_pairs_need(specials, said):
    source = Tokenizer("words", Vocabulary(["a"]))
    target = Tokenizer("words", Vocabulary(["a"], specials=specials))
    with pytest.raises(ValueError, match=said):
        pair_batches([("a", "a")], source, target, 1)
