"""Optimisers move parameters as PyTorch's do, by dense and by row-sparse gradients."""

import numpy as np
import pytest
from golden.optim_cases import OPTIMISERS, SPARSE, STEPS
from golden.store import DTYPES, read

import tinygrad_seq as tg
from tinygrad_seq import ops, optim

TOLERANCE = {"float32": 1e-5, "float64": 1e-11}
ROW_OPTIMISERS = {"SparseAdam": optim.Adam}
NAMES = ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad"]


def leaf(array):
    return tg.tensor(array, requires_grad=True)


def close(found, wanted, dtype):
    assert str(found.dtype) == dtype
    np.testing.assert_allclose(found, wanted, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


def give_rows(table, rows, added):
    """Leave the row-sparse gradient of taking these rows, each weighted by what is added to it."""
    table.grad = None
    taken = ops.take_rows(table, rows, sparse=True)
    (taken * tg.tensor(added)).sum().backward()
    assert type(table.grad).__name__ == "RowSparseTensor"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", OPTIMISERS, ids=lambda case: case.name)
def test_dense_trajectory_is_pytorchs(case, dtype):
    parameters = {name: leaf(array) for name, array in case.parameters(dtype).items()}
    groups = [{"params": list(parameters.values())}]
    if case.second_group is not None:
        first, second = parameters.values()
        groups = [{"params": [first]}, {"params": [second], **case.second_group}]
    optimizer = getattr(optim, case.optimiser)(groups, **case.options)
    wanted = read(case.file, case.name, dtype)
    for step in range(STEPS):
        given = {}
        for name, gradient in case.gradients(step, dtype).items():
            given[name] = gradient if gradient is None else gradient.copy()
            parameters[name].grad = None if gradient is None else tg.Tensor(gradient)
        optimizer.step()
        for name, p in parameters.items():
            close(p.detach().numpy(), wanted[name][step], dtype)
            if given[name] is not None:
                np.testing.assert_array_equal(p.grad.numpy(), given[name])
    for kept in optimizer.state.values():
        assert {str(a.dtype) for name, a in kept.items() if name != "step"} <= {dtype}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", SPARSE, ids=lambda case: case.name)
def test_row_sparse_trajectory_is_pytorchs(case, dtype):
    table = leaf(case.parameters(dtype)["table"])
    kind = ROW_OPTIMISERS.get(case.optimiser) or getattr(optim, case.optimiser)
    optimizer = kind([table], **case.options)
    wanted = read(case.file, case.name, dtype)["table"]
    # PyTorch's momentum moves rows that were not read; ours agrees with it in every row until the
    # row is left out for the first time after it was read.
    lazy = case.name == "SGD-sparse-momentum"
    compared, agreeing, read_before = 0, np.ones(6, bool), np.zeros(6, bool)
    for step in range(STEPS):
        rows, added = case.gradient(step, dtype)
        give_rows(table, rows, added)
        optimizer.step()
        now = np.isin(np.arange(6), rows)
        if lazy:
            agreeing &= now | ~read_before
        read_before |= now
        compared += int(agreeing.sum())
        close(table.detach().numpy()[agreeing], wanted[step][agreeing], dtype)
    assert compared == 6 * STEPS or (lazy and compared >= 12)


def test_momentum_of_rows_is_lazy():
    """Against the definition, row by row: b = 0.9 b + g, w = w - 0.1 b, where the row was read."""
    case = next(case for case in SPARSE if case.name == "SGD-sparse-momentum")
    table = leaf(case.parameters()["table"])
    optimizer = optim.SGD([table], lr=0.1, momentum=0.9)
    w, b = case.parameters()["table"].copy(), np.zeros((6, 3))
    for step in range(STEPS):
        rows, added = case.gradient(step)
        give_rows(table, rows, added)
        optimizer.step()
        for row in set(rows.tolist()):
            b[row] = 0.9 * b[row] + added[rows == row].sum(axis=0)
            w[row] -= 0.1 * b[row]
        close(table.detach().numpy(), w, "float64")


VARIANTS = [
    ("SGD", {"weight_decay": 0.1, "momentum": 0.9, "nesterov": True}),
    ("SGD", {"weight_decay": 0.1, "momentum": 0.5, "dampening": 0.5, "maximize": True}),
    ("Adam", {"weight_decay": 0.1, "amsgrad": True, "eps": 0.0}),
    ("AdamW", {"weight_decay": 0.1, "maximize": True, "eps": 0.0}),
    ("RMSprop", {"weight_decay": 0.1, "centered": True, "momentum": 0.5}),
    ("Adagrad", {"weight_decay": 0.1, "lr_decay": 0.1, "initial_accumulator_value": 0.2}),
]
IDS = [f"{name}-{i}" for i, (name, _) in enumerate(VARIANTS)]


@pytest.mark.parametrize(("name", "options"), VARIANTS, ids=IDS)
def test_rows_move_as_a_table_of_them_would(name, options):
    """Rows 1, 4, 5, read at every step, move as three rows with dense gradients; 0, 2, 3 stand."""
    rng = np.random.default_rng(0)
    whole, read_rows = rng.normal(size=(6, 3)), np.array([4, 1, 5])
    table, small = leaf(whole), leaf(whole[read_rows])
    kinds = [getattr(optim, name)([p], lr=0.05, **options) for p in (table, small)]
    for _ in range(4):
        g = rng.normal(size=(3, 3))
        give_rows(table, read_rows, g)
        small.grad = tg.tensor(g)
        for optimizer in kinds:
            optimizer.step()
    close(table.detach().numpy()[read_rows], small.detach().numpy(), "float64")
    np.testing.assert_array_equal(table.detach().numpy()[[0, 2, 3]], whole[[0, 2, 3]])
    assert not np.any(np.isclose(table.detach().numpy()[read_rows], whole[read_rows]))
    for slot in kinds[0].slot_names:
        kept = kinds[0].state[table].get(slot)
        if kept is not None:
            close(kept[read_rows], kinds[1].state[small][slot], "float64")
            assert np.unique(kept[[0, 2, 3]]).size == 1


@pytest.mark.parametrize(("name", "options"), VARIANTS, ids=IDS)
@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (1,), (80_000,), (300, 150), (3, 40_000)])
def test_blocks_equal_whole(name, options, shape):
    """Large arrays are updated block by block; each element moves as it would alone."""
    rng = np.random.default_rng(1)
    w, picked = rng.normal(size=shape), slice(None, None, 997)
    p, alone = leaf(w), leaf(w.reshape(-1)[picked])
    kinds = [getattr(optim, name)([q], lr=0.05, **options) for q in (p, alone)]
    for _ in range(3):
        g = rng.normal(size=shape)
        p.grad, alone.grad = tg.tensor(g), tg.tensor(g.reshape(-1)[picked])
        for optimizer in kinds:
            optimizer.step()
    assert p.shape == shape
    close(p.detach().numpy().reshape(-1)[picked], alone.detach().numpy(), "float64")
    assert np.isclose(p.detach().numpy(), w).sum() <= 0.01 * w.size


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("order", ["transposed", "strided"])
def test_layout_of_memory_does_not_matter(name, order):
    rng = np.random.default_rng(2)
    w, g = rng.normal(size=(2, 200, 300))
    base = np.ascontiguousarray(w.T) if order == "transposed" else np.repeat(w, 2, axis=1)
    odd = tg.Tensor(base.T if order == "transposed" else base[:, ::2], requires_grad=True)
    assert not odd.array.flags.c_contiguous
    even = leaf(w)
    odd.grad, even.grad = tg.tensor(np.asfortranarray(g)), tg.tensor(g)
    for p in (odd, even):
        getattr(optim, name)([p]).step()
    np.testing.assert_array_equal(odd.detach().numpy(), even.detach().numpy())
    assert not np.any(odd.detach().numpy() == w)


def test_centered_rmsprop_does_not_take_roots_of_rounding():
    """A constant gradient makes v and a² equal: their difference may round below 0."""
    p = leaf(np.ones(1000, np.float32))
    optimizer = optim.RMSprop([p], alpha=0.5, centered=True)
    g = np.random.default_rng(3).normal(size=1000).astype(np.float32) * 100
    below = False
    for _ in range(200):
        p.grad = tg.tensor(g)
        optimizer.step()
        kept = optimizer.state[p]
        below |= bool(np.any(kept["square_avg"] < kept["grad_avg"] ** 2))
    assert below
    assert np.isfinite(p.detach().numpy()).all()


@pytest.mark.parametrize("name", NAMES)
def test_rates_of_numpy_do_not_change_float32(name):
    p = leaf(np.ones(3, np.float32))
    optimizer = getattr(optim, name)([p], lr=np.float64(0.1))
    optimizer.param_groups[0]["lr"] = np.float64(0.5)
    p.grad = tg.tensor(np.ones(3, np.float32))
    optimizer.step()
    assert p.dtype == np.float32
    assert {a.dtype for k, a in optimizer.state[p].items() if k != "step"} <= {np.dtype("f4")}
