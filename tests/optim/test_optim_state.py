"""Optimisers in use: groups, saved state, resuming bit by bit, and what the engine notices."""

import copy

import numpy as np
import pytest

import tinygrad_seq as tg
from tinygrad_seq import ops, optim

KINDS = [
    ("SGD", {"momentum": 0.9, "dampening": 0.2}),
    ("SGD", {}),
    ("Adam", {"amsgrad": True, "weight_decay": 0.01}),
    ("AdamW", {"betas": (0.8, 0.9)}),
    ("RMSprop", {"centered": True, "momentum": 0.5}),
    ("Adagrad", {"lr_decay": 0.1, "initial_accumulator_value": 0.1}),
]
IDS = [f"{name}-{i}" for i, (name, _) in enumerate(KINDS)]


def model(seed=0, dtype=np.float32):
    """Return an embedding table, a weight and a bias."""
    rng = np.random.default_rng(seed)
    shapes = ((9, 4), (4, 3), (3,))
    return [tg.tensor(rng.normal(size=s).astype(dtype), requires_grad=True) for s in shapes]


def loss_of(leaves, step):
    table, weight, bias = leaves
    rng = np.random.default_rng(step)
    taken = ops.take_rows(table, rng.integers(0, 9, size=6), sparse=True)
    return ((taken @ weight + bias) ** 2).mean()


def train(leaves, optimizer, steps):
    for step in steps:
        optimizer.zero_grad()
        loss_of(leaves, step).backward()
        optim.clip_grad_norm_(leaves, 1.0)
        optimizer.step()
    return leaves


def same_bits(left, right):
    return [p.array.tobytes() for p in left] == [p.array.tobytes() for p in right]


def make(leaves, name, options):
    groups = [{"params": leaves[:2]}, {"params": leaves[2], "lr": 0.02}]
    return getattr(optim, name)(groups, lr=0.05, **options)


@pytest.mark.parametrize(("name", "options"), KINDS, ids=IDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_resumed_is_bit_identical_to_uninterrupted(name, options, dtype, tmp_path):
    whole = model(dtype=dtype)
    train(whole, make(whole, name, options), range(9))

    half = model(dtype=dtype)
    optimizer = make(half, name, options)
    train(half, optimizer, range(5))
    arrays = {str(i): p.detach() for i, p in enumerate(half)}
    tg.save_checkpoint(tmp_path / "c", {"model": arrays, "optim": optimizer.state_dict()})

    loaded = tg.load_checkpoint(tmp_path / "c")
    resumed = [tg.tensor(loaded["model"][str(i)], requires_grad=True) for i in range(3)]
    again = getattr(optim, name)([{"params": resumed[:2]}, {"params": resumed[2]}])
    again.load_state_dict(loaded["optim"])
    assert not same_bits(resumed, whole)
    train(resumed, again, range(5, 9))
    assert same_bits(resumed, whole)
    assert again.param_groups[1]["lr"] == 0.02
    assert {p.dtype for p in resumed} == {np.dtype(dtype)}
    for kept in again.state.values():
        assert {a.dtype for key, a in kept.items() if key != "step"} <= {np.dtype(dtype)}


def test_training_lowers_the_loss():
    for name, options in KINDS:
        leaves = model()
        before = loss_of(leaves, 0).item()
        train(leaves, make(leaves, name, options), [0] * 60)
        assert loss_of(leaves, 0).item() < 0.5 * before, name


def test_state_dict_is_a_copy_both_ways():
    leaves = model()
    optimizer = make(leaves, "Adam", {})
    train(leaves, optimizer, range(2))
    state = optimizer.state_dict()
    kept = copy.deepcopy(state)
    train(leaves, optimizer, range(2, 4))
    np.testing.assert_equal(state, kept)
    optimizer.load_state_dict(state)
    train(leaves, optimizer, range(2, 4))
    np.testing.assert_equal(state, kept)
    assert state["state"].keys() == {"0", "1", "2"}
    assert state["state"]["0"].keys() == {"step", "exp_avg", "exp_avg_sq"}
    assert [group["params"] for group in state["param_groups"]] == [[0, 1], [2]]


def test_state_of_parameters_never_updated_is_not_made():
    leaves = model()
    optimizer = make(leaves, "Adam", {})
    leaves[1].grad = tg.tensor(np.ones((4, 3), np.float32))
    optimizer.step()
    assert optimizer.state_dict()["state"].keys() == {"1"}


def test_momentum_switched_on_later_can_be_saved():
    leaves = model()
    optimizer = make(leaves, "SGD", {})
    train(leaves, optimizer, range(2))
    optimizer.param_groups[0]["momentum"] = 0.5
    optimizer.load_state_dict(optimizer.state_dict())
    train(leaves, optimizer, range(2, 4))
    assert set(optimizer.state[leaves[0]]) == {"step", "momentum_buffer"}


def spoilt(change):
    """Return a state dict of two Adam steps after a change."""
    leaves = model()
    optimizer = make(leaves, "Adam", {})
    train(leaves, optimizer, range(2))
    state = optimizer.state_dict()
    return change(state) or state


def drop(key):
    return lambda s: s.pop(key) and None


SPOILT = [
    (lambda s: [s], "the keys 'state' and 'param_groups'"),
    (drop("state"), "the keys 'state' and 'param_groups'"),
    (lambda s: s["param_groups"].pop() and None, "param_groups: 1 groups, expected a list of 2"),
    (lambda s: s["param_groups"][0].pop("eps") and None, r"param_groups\[0\]: .* expected"),
    (lambda s: s["param_groups"][1].update(lr=-1.0), r"param_groups\[1\]: Adam: lr is -1.0"),
    (lambda s: s["param_groups"][1].update(momentum=0.5), r"param_groups\[1\]: .*momentum"),
    (lambda s: s["param_groups"][1].update(betas=0.9), r"param_groups\[1\]: Adam: betas is 0.9"),
    (
        lambda s: s["param_groups"][1].update(params=[3]),
        r"\[1\]\['params'\]: \[3\], expected \[2\]",
    ),
    (lambda s: s["state"].update({"7": {}}), r"state\['7'\]: there is no such parameter"),
    (lambda s: s["state"].update({"0": None}), r"state\['0'\] is a NoneType"),
    (lambda s: s.update(state=[]), "state is a list"),
    (lambda s: s["state"]["0"].update(step=1.5), r"state\['0'\]\['step'\] is 1.5"),
    (lambda s: s["state"]["0"].update(step=-1), r"state\['0'\]\['step'\] is -1"),
    (lambda s: s["state"]["0"].pop("step") and None, r"state\['0'\]: missing \['step'\]"),
    (lambda s: s["state"]["1"].update(sum=0), r"state\['1'\]: missing \[\], unknown \['sum'\]"),
    (
        lambda s: s["state"]["1"].update(exp_avg=0.0),
        r"\['exp_avg'\] is 0.0, expected float32\(4, 3",
    ),
    (lambda s: s["state"]["1"].update(exp_avg=np.zeros((3, 4), "f4")), r"is float32\(3, 4\)"),
    (lambda s: s["state"]["1"].update(exp_avg=np.zeros((4, 3))), r"is float64\(4, 3\), expected"),
]


@pytest.mark.parametrize(("change", "named"), SPOILT)
def test_state_that_does_not_fit_changes_nothing(change, named):
    leaves = model()
    optimizer = make(leaves, "Adam", {"eps": 1e-3})
    train(leaves, optimizer, range(3))
    before = optimizer.state_dict()
    with pytest.raises(ValueError, match=r"Adam.load_state_dict: .*" + named):
        optimizer.load_state_dict(spoilt(change))
    np.testing.assert_equal(optimizer.state_dict(), before)


def test_all_that_does_not_fit_is_listed():
    def change(state):
        state["param_groups"][0]["lr"] = "x"
        state["state"]["0"]["exp_avg"] = np.zeros(1)
        del state["state"]["2"]["exp_avg_sq"]

    with pytest.raises(ValueError, match=r"lr is 'x'.*; .*exp_avg.*; .*missing") as raised:
        make(model(), "Adam", {}).load_state_dict(spoilt(change))
    assert str(raised.value).count(";") == 2


@pytest.mark.parametrize(("name", "options"), KINDS, ids=IDS)
@pytest.mark.parametrize("sparse", [False, True])
def test_a_step_between_forward_and_backward_is_noticed(name, options, sparse):
    leaves = model()
    table, weight, _ = leaves
    optimizer = make(leaves, name, options)
    loss = loss_of(leaves, 0)
    if sparse:
        ops.take_rows(table, np.array([1, 2]), sparse=True).sum().backward()
        loss = (table * table).sum()
    else:
        weight.grad = tg.tensor(np.ones((4, 3), np.float32))
    optimizer.step()
    with pytest.raises(RuntimeError, match="written into"):
        loss.backward()
    loss_of(leaves, 0).backward()  # a new graph is sound


@pytest.mark.parametrize(("name", "options"), KINDS, ids=IDS)
def test_the_array_is_updated_in_place(name, options):
    leaves = model()
    arrays = [p.array for p in leaves]
    before = [a.copy() for a in arrays]
    train(leaves, make(leaves, name, options), range(1))
    assert all(p.array is a for p, a in zip(leaves, arrays, strict=True))
    assert all(np.any(a != b) for a, b in zip(arrays, before, strict=True))
    assert all(p.is_leaf and p.requires_grad for p in leaves)


def test_sparse_gradients_are_never_made_dense():
    leaves = model()
    optimizer = make(leaves, "Adam", {})
    loss_of(leaves, 0).backward()
    optim.clip_grad_norm_(leaves, 0.1)
    optimizer.step()
    assert leaves[0].grad._dense is None


def test_zero_grad_forgets_every_gradient():
    leaves = model()
    optimizer = make(leaves, "SGD", {})
    loss_of(leaves, 0).backward()
    assert all(p.grad is not None for p in leaves)
    optimizer.zero_grad()
    assert all(p.grad is None for p in leaves)


def test_groups_are_added_and_options_changed():
    leaves = model()
    optimizer = optim.SGD(leaves[:1], lr=0.5)
    optimizer.add_param_group({"params": leaves[1:], "lr": 0.25})
    optimizer.param_groups[0]["lr"] = 1.0
    before = [p.array.copy() for p in leaves]
    for p in leaves:
        p.grad = tg.tensor(np.ones_like(p.array))
    optimizer.step()
    moved = [float((b - p.array).max()) for p, b in zip(leaves, before, strict=True)]
    np.testing.assert_allclose(moved, [1.0, 0.25, 0.25], rtol=1e-5)
    assert "1 parameters, lr=1.0" in repr(optimizer)
    assert "2 parameters, lr=0.25" in repr(optimizer)
