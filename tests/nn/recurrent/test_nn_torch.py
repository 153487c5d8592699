"""State dicts go from PyTorch's layers into ours and back as they are; results agree."""

import numpy as np
import pytest
from nn_layers import flat, host, random

import tinygrad_seq as tg
from tinygrad_seq import nn

torch = pytest.importorskip("torch", reason="interop with PyTorch needs PyTorch")
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported")

CASES = [
    ("RNN", {}),
    ("RNN", {"nonlinearity": "relu", "num_layers": 2, "bidirectional": True}),
    ("GRU", {"num_layers": 2}),
    ("GRU", {"bias": False, "bidirectional": True, "batch_first": True}),
    ("LSTM", {"num_layers": 2, "bidirectional": True}),
    ("LSTM", {"num_layers": 2, "proj_size": 2, "bidirectional": True}),
]


def pair(kind, options):
    torch.manual_seed(0)
    theirs = getattr(torch.nn, kind)(3, 4, **options)
    tg.manual_seed(0)
    return theirs, getattr(nn, kind)(3, 4, **options)


def assert_same_results(theirs, ours):
    x = random(5, 2, 3).astype(np.float32)
    with torch.no_grad():
        wanted = flat(theirs(torch.tensor(x)))
    found = flat(ours(tg.tensor(x)))
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(host(one), other.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("kind", "options"), CASES)
def test_theirs_load_into_ours(kind, options):
    theirs, ours = pair(kind, options)
    ours.load_state_dict(theirs.state_dict())
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert_same_results(theirs, ours)
    with torch.no_grad():
        next(theirs.parameters()).zero_()
    assert host(next(ours.parameters())).any()  # a copy


@pytest.mark.parametrize(("kind", "options"), CASES)
def test_ours_load_into_theirs(kind, options):
    theirs, ours = pair(kind, options)
    state = {name: torch.tensor(array) for name, array in ours.state_dict().items()}
    theirs.load_state_dict(state)
    assert_same_results(theirs, ours)


def test_a_whole_model():
    theirs = torch.nn.ModuleDict(
        {"embedding": torch.nn.Embedding(7, 3, padding_idx=0), "rnn": torch.nn.GRU(3, 4),
         "norm": torch.nn.LayerNorm(4), "head": torch.nn.Linear(4, 7)}
    )  # fmt: skip

    class Model(nn.Module):
        def __init__(self):
            self.embedding, self.rnn = nn.Embedding(7, 3, padding_idx=0), nn.GRU(3, 4)
            self.norm, self.head = nn.LayerNorm(4), nn.Linear(4, 7)

    ours = Model()
    ours.load_state_dict(theirs.state_dict())
    tokens = np.array([[1, 2], [0, 6], [3, 3]])
    with torch.no_grad():
        states, _ = theirs["rnn"](theirs["embedding"](torch.tensor(tokens)))
        wanted = theirs["head"](theirs["norm"](states)).numpy()
    found = ours.head(ours.norm(ours.rnn(ours.embedding(tokens))[0]))
    np.testing.assert_allclose(host(found), wanted, rtol=1e-5, atol=1e-5)


def test_packed_sequences_are_lengths():
    theirs, ours = pair("LSTM", {"num_layers": 2, "bidirectional": True})
    ours.load_state_dict(theirs.state_dict())
    x, lengths = random(5, 4, 3).astype(np.float32), [2, 5, 1, 3]
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        torch.tensor(x), torch.tensor(lengths), enforce_sorted=False
    )
    with torch.no_grad():
        output, final = theirs(packed)
        wanted = [torch.nn.utils.rnn.pad_packed_sequence(output)[0], *final]
    for one, other in zip(flat(ours(tg.tensor(x), lengths=lengths)), wanted, strict=True):
        np.testing.assert_allclose(host(one), other.numpy(), rtol=1e-5, atol=1e-6)


def test_parameters_cross_by_dlpack():
    theirs, ours = pair("GRU", {})
    for name, parameter in theirs.named_parameters():
        shared = tg.from_dlpack(parameter.detach())
        getattr(ours, name).data[...] = shared.data
    assert_same_results(theirs, ours)
