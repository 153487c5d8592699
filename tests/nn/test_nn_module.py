"""Module: how parameters and modules are found, shared, switched, frozen and shown."""

import numpy as np
import pytest
from nn_layers import host, random

import tinygrad_seq as tg
from tinygrad_seq import nn, ops


def scalar():
    return nn.Parameter(tg.zeros(1))


class Nested(nn.Module):
    """Parameters and modules in every place where they are looked for."""

    def __init__(self):
        self.second = scalar()
        self.block = nn.Linear(2, 3)
        self.pair = (scalar(), nn.LayerNorm(2, bias=False))
        self.many = [nn.Linear(1, 1, bias=False), [scalar()]]
        self.by_name = {"a": scalar(), "b": nn.Sequential(ops.tanh, nn.Linear(1, 2))}
        self.first = scalar()
        self.plain = tg.zeros(4)
        self.number, self.none, self.text = 3, None, "text"


NAMES = [
    "second", "pair.0", "many.1.0", "by_name.a", "first",
    "block.weight", "block.bias", "pair.1.weight", "many.0.weight",
    "by_name.b.1.weight", "by_name.b.1.bias",
]  # fmt: skip


def test_parameters_are_found_in_order_of_definition_own_ones_first():
    module = Nested()
    assert [name for name, _ in module.named_parameters()] == NAMES
    assert list(module.state_dict()) == NAMES
    assert [id(p) for p in module.parameters()] == [id(p) for _, p in module.named_parameters()]
    assert [name for name, _ in module.named_parameters("x")] == [f"x.{name}" for name in NAMES]
    assert module.num_parameters() == 5 + 9 + 2 + 1 + 4


def test_modules_and_children():
    module = Nested()
    names = ["", "block", "pair.1", "many.0", "by_name.b", "by_name.b.1"]
    assert [name for name, _ in module.named_modules()] == names
    assert [name for name, _ in module.named_modules("x")] == ["x", *(f"x.{n}" for n in names[1:])]
    assert next(iter(module.modules())) is module
    children = [module.block, module.pair[1], module.many[0], module.by_name["b"]]
    assert list(module.children()) == children


def test_module_may_hold_what_holds_it():
    module = Nested()
    module.block.owner = module
    assert [name for name, _ in module.named_modules()][:2] == ["", "block"]
    assert list(module.state_dict()) == NAMES
    assert module.num_parameters() == 21
    assert "owner: ..." in repr(module)
    module.eval()
    assert not module.block.training


def test_modules_shared_at_every_level_are_walked_once():
    module = nn.Linear(1, 1)
    for _ in range(60):  # 2 to the 60 paths
        module = nn.Sequential(module, module)
    assert len(list(module.modules())) == 61
    assert module.num_parameters() == 2
    assert len(list(module.eval().parameters())) == 2


def test_attributes_set_and_removed_later_count():
    module = Nested()
    module.third = scalar()
    del module.first
    module.block = None
    names = [name for name, _ in module.named_parameters()]
    assert "third" in names
    assert "first" not in names
    assert "block.weight" not in names
    module.many.append(scalar())
    assert "many.2" in dict(module.named_parameters())


class Tied(nn.Module):
    """The output weights are the embedding's."""

    def __init__(self):
        self.embedding = nn.Embedding(5, 3, dtype="float64", generator=tg.Generator(1))
        self.decoder = nn.Linear(3, 5, bias=False, dtype="float64")
        self.decoder.weight = self.embedding.weight

    def forward(self, indices):
        return self.decoder(self.embedding(indices))


def test_tied_weights_are_one_parameter_under_both_names():
    model = Tied()
    assert [name for name, _ in model.named_parameters()] == ["embedding.weight"]
    both = ["embedding.weight", "decoder.weight"]
    assert [name for name, _ in model.named_parameters(remove_duplicate=False)] == both
    assert list(model.state_dict()) == both
    assert model.num_parameters() == 15
    twice = {name: np.full((5, 3), 2.0) for name in both}
    model.load_state_dict(twice)
    assert model.decoder.weight is model.embedding.weight
    assert (host(model.embedding.weight) == 2).all()


def test_tied_weights_get_one_gradient_the_sum_of_both_uses():
    model, weights = Tied(), random(2, 5)
    (model([0, 3]) * weights).sum().backward()
    table = host(model.embedding.weight)
    wanted = weights.T @ table[[0, 3]]
    np.add.at(wanted, [0, 3], weights @ table)
    np.testing.assert_allclose(host(model.embedding.weight.grad), wanted, rtol=1e-12)
    assert model.decoder.weight.grad is model.embedding.weight.grad


def test_a_module_held_twice_is_walked_once_and_named_twice():
    model = nn.Module()
    model.one = model.other = nn.Linear(2, 2)
    assert [name for name, _ in model.named_modules()] == ["", "one"]
    assert [name for name, _ in model.named_parameters()] == ["one.weight", "one.bias"]
    assert list(model.state_dict()) == ["one.weight", "one.bias", "other.weight", "other.bias"]


def test_train_and_eval_reach_everything_and_return_the_module():
    model = nn.Sequential(nn.Dropout(0.5), nn.ModuleList([nn.LSTM(2, 3, 2, dropout=0.5)]))
    assert model.training
    assert model.eval() is model
    modes = [m.training for m in model.modules()]
    assert len(modes) == 5  # the dropout between the LSTM's layers too
    assert not any(modes)
    assert all(m.training for m in model.train().modules())
    model[0].eval()
    assert model.training


def test_zero_grad_forgets_and_gradients_add_up():
    layer, x = nn.Linear(2, 1), tg.tensor([[1.0, 2.0]])
    layer(x).sum().backward()
    layer(x).sum().backward()
    np.testing.assert_array_equal(host(layer.weight.grad), [[2.0, 4.0]])
    layer.zero_grad()
    assert [p.grad for p in layer.parameters()] == [None, None]


def test_frozen_parameters_get_no_gradient():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    assert model[0].requires_grad_(False) is model[0]
    model(tg.ones(1, 2)).sum().backward()
    assert [p.grad is None for p in model.parameters()] == [True, True, False, False]
    model.requires_grad_()
    model(tg.ones(1, 2)).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_a_parameter_is_not_replaced_by_a_plain_tensor():
    layer = nn.Linear(2, 2)
    for value in (tg.zeros(2, 2), np.zeros((2, 2), np.float32)):
        with pytest.raises(TypeError, match=r"Linear\.weight: got a .*, expected a Parameter"):
            layer.weight = value
    layer.weight = nn.Parameter(tg.zeros(2, 2))
    layer.bias = None
    assert list(layer.state_dict()) == ["weight"]


def test_parameters_are_leaves_of_floats():
    parameter = nn.Parameter(np.zeros(3))
    assert parameter.requires_grad
    assert parameter.is_leaf
    assert not nn.Parameter(np.zeros(3), requires_grad=False).requires_grad
    assert nn.Parameter(tg.tensor([1.0], requires_grad=True) * 2).is_leaf
    with pytest.raises(TypeError, match="int64"):
        nn.Parameter(np.zeros(3, int))


def test_a_module_without_forward_says_so():
    with pytest.raises(NotImplementedError, match="Module has no forward"):
        nn.Module()(1)
    with pytest.raises(NotImplementedError, match="Cell has no forward"):
        nn.Cell().forward((), tg.zeros(1))


REPRS = {
    "Linear(3, 4)  # 16 parameters": lambda: nn.Linear(3, 4),
    "Linear(1, 1, bias=False)  # 1 parameter": lambda: nn.Linear(1, 1, bias=False),
    "Embedding(1000, 3)  # 3,000 parameters": lambda: nn.Embedding(1000, 3),
    "Dropout(0.2)": lambda: nn.Dropout(0.2),
    "LayerNorm(2, 3)  # 12 parameters": lambda: nn.LayerNorm((2, 3)),
    "RNNCell(2, 3)  # 21 parameters": lambda: nn.RNNCell(2, 3),
    "GRU(3, 4)  # 108 parameters": lambda: nn.GRU(3, 4),
    "LSTM(3, 4, num_layers=2, bidirectional=True)  # 736 parameters": lambda: nn.LSTM(
        3, 4, 2, bidirectional=True
    ),
    "Sequential()  # 13 parameters\n"
    "  0: Linear(2, 3)  # 9 parameters\n"
    "  2: Linear(3, 1)  # 4 parameters": lambda: nn.Sequential(
        nn.Linear(2, 3), ops.tanh, nn.Linear(3, 1)
    ),
    "Bidirectional()  # 42 parameters\n"
    "  there: Recurrent()  # 21 parameters\n"
    "    cell: RNNCell(2, 3)  # 21 parameters\n"
    "  back: Recurrent(reverse=True)  # 21 parameters\n"
    "    cell: RNNCell(2, 3)  # 21 parameters": lambda: nn.Bidirectional(
        nn.RNNCell(2, 3), nn.RNNCell(2, 3)
    ),
    "Stack()  # 63 parameters\n"
    "  layers: ModuleList()  # 63 parameters\n"
    "    0: Recurrent()  # 63 parameters\n"
    "      cell: GRUCell(2, 3)  # 63 parameters\n"
    "  dropout: Dropout(0.3)": lambda: nn.Stack(nn.Recurrent(nn.GRUCell(2, 3)), dropout=0.3),
}


@pytest.mark.parametrize("text", REPRS, ids=lambda text: text.partition("(")[0])
def test_repr_shows_sizes_and_counts(text):
    assert repr(REPRS[text]()) == text


def test_repr_counts_a_shared_parameter_once():
    assert repr(Tied()).startswith("Tied()  # 15 parameters\n")
    assert repr(nn.Parameter(tg.ones(2))) == "Parameter([1., 1.], requires_grad=True)"
