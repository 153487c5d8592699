"""The cells that recurrent.py measures, and the peers that run them, each in its own process."""

from __future__ import annotations

import os
from types import SimpleNamespace

import numpy as np

BUILT_IN = {"LSTM": 4, "GRU": 3, "RNN": 1}
"""Layers that PyTorch ships, and how many times H their gates are wide."""

NORMALISED = "cost of layer norm"
"""Our layer-norm LSTM beside our plain one."""

# ---- cells as a user writes them: f a peer's functions, p the parameters -------------------------


def layer_norm_lstm(f, p):
    def step(state, x):
        h, c = state
        a = f.norm(x @ p.w_x, p.g_x, p.b_x) + f.norm(h @ p.w_h, p.g_h, p.b_h)
        i, forget, g, o = f.parts(a, 4)
        c = f.sigmoid(forget) * c + f.sigmoid(i) * f.tanh(g)
        h = f.sigmoid(o) * f.tanh(f.norm(c, p.g_c, p.b_c))
        return (h, c), h

    return step


def peephole_zoneout(f, p):
    def step(state, inputs):
        x, keep = inputs
        h, c = state
        i, forget, g, o = f.parts(x @ p.w_x + h @ p.w_h + p.b_x, 4)
        new = f.sigmoid(forget + c * p.g_f) * c + f.sigmoid(i + c * p.g_i) * f.tanh(g)
        made = f.sigmoid(o + new * p.g_o) * f.tanh(new)
        new, made = c + keep * (new - c), h + keep * (made - h)
        return (made, new), made

    return step


def min_gru(f, p):
    def step(state, x):
        (h,) = state
        z, n = f.parts(x @ p.w_x + p.b_x, 2)
        h = h + f.sigmoid(z) * (n - h)
        return (h,), h

    return step


def gru_reset_before(f, p):
    def step(state, x):
        (h,) = state
        a_r, a_z, a_n = f.parts(x @ p.w_x + p.b_x, 3)
        h_r, h_z = f.parts(h @ p.w_rz, 2)
        r, z = f.sigmoid(a_r + h_r), f.sigmoid(a_z + h_z)
        n = f.tanh(a_n + (r * h) @ p.w_n)
        h = (1 - z) * h + z * n
        return (h,), h

    return step


CELLS = {
    "layer-norm LSTM": layer_norm_lstm,
    "peephole zoneout": peephole_zoneout,
    "minGRU": min_gru,
    "GRU reset before": gru_reset_before,
}


def sizes(name, D, H):
    """Shapes of the parameters, and how many states there are."""
    if name == "layer-norm LSTM":
        wide = dict.fromkeys(("g_x", "b_x", "g_h", "b_h"), (4 * H,))
        return {"w_x": (D, 4 * H), "w_h": (H, 4 * H), **wide, "g_c": (H,), "b_c": (H,)}, 2
    if name == "peephole zoneout":
        peepholes = dict.fromkeys(("g_f", "g_i", "g_o"), (H,))
        return {"w_x": (D, 4 * H), "w_h": (H, 4 * H), "b_x": (4 * H,), **peepholes}, 2
    if name == "minGRU":
        return {"w_x": (D, 2 * H), "b_x": (2 * H,)}, 1
    if name == "GRU reset before":
        return {"w_x": (D, 3 * H), "b_x": (3 * H,), "w_rz": (H, 2 * H), "w_n": (H, H)}, 1
    gates = BUILT_IN[name] * H
    built_in = {"weight_ih_l0": (gates, D), "weight_hh_l0": (gates, H)}
    return built_in | dict.fromkeys(("bias_ih_l0", "bias_hh_l0"), (gates,)), 1 + (name == "LSTM")


def numbers(name, shape):
    """The same inputs, initial states, parameters and cotangent for every peer."""
    T, B, D, H = shape
    random = np.random.default_rng(0)

    def normal(*size):
        return random.standard_normal(size, dtype=np.float32)

    shapes, states = sizes(name, D, H)
    p = {key: normal(*size) * np.float32(0.5 / H**0.5) for key, size in shapes.items()}
    p = {key: value + np.float32(0.5 * key.startswith("g_")) for key, value in p.items()}
    inputs = [normal(T, B, D)]
    if name == "peephole zoneout":
        inputs.append((normal(T, B, H) > 0).astype(np.float32))
    return inputs, [normal(B, H) for _ in range(states)], p, normal(T, B, H)


# ---- peers: each returns a train step, which returns dx ------------------------------------------


def ours(name, shape):
    import tinygrad_seq as tg
    from tinygrad_seq import nn, ops

    inputs, states, p, g = numbers(name, shape)
    x, *rest = [tg.tensor(a, requires_grad=not i) for i, a in enumerate(inputs)]
    state = tuple(tg.tensor(a, requires_grad=True) for a in states)
    g = tg.tensor(g)
    if name in BUILT_IN:
        layer = getattr(nn, name)(*shape[2:])
        layer.load_state_dict(p)
        leaves = [x, *state, *layer.parameters()]

        def forward():
            initial = tuple(h.reshape(1, *h.shape) for h in state)
            return layer(x, initial if len(initial) > 1 else initial[0])[0]
    else:
        parameters = {key: tg.tensor(a, requires_grad=True) for key, a in p.items()}
        functions = SimpleNamespace(
            sigmoid=ops.sigmoid,
            tanh=ops.tanh,
            parts=lambda a, n: ops.split(a, n, axis=-1),
            norm=lambda a, weight, bias: ops.layer_norm(a, weight.shape, weight, bias),
        )
        step = CELLS[name](functions, SimpleNamespace(**parameters))
        series = (x, *rest) if rest else x
        leaves = [x, *state, *parameters.values()]

        def forward():
            return tg.scan(step, series, state)[1]

    def train():
        for leaf in leaves:
            leaf.grad = None
        forward().backward(g)
        return x.grad.array

    return train


def torch_leaves(name, shape):
    import torch

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    inputs, states, p, g = numbers(name, shape)
    x, *rest = [torch.tensor(a, requires_grad=not i) for i, a in enumerate(inputs)]
    return x, rest, [torch.tensor(a, requires_grad=True) for a in states], p, torch.tensor(g)


def torch_train(x, leaves, forward, g):
    def train():
        for leaf in leaves:
            leaf.grad = None
        forward().backward(g)
        return x.grad.numpy()

    return train


def torch_nn(name, shape):
    import torch

    x, _, state, p, g = torch_leaves(name, shape)
    layer = getattr(torch.nn, name)(*shape[2:])
    layer.load_state_dict({key: torch.tensor(a) for key, a in p.items()})

    def forward():
        initial = tuple(h[None] for h in state)
        return layer(x, initial if len(initial) > 1 else initial[0])[0]

    return torch_train(x, [x, *state, *layer.parameters()], forward, g)


def torch_eager(name, shape):
    import torch

    x, rest, state, p, g = torch_leaves(name, shape)
    parameters = {key: torch.tensor(a, requires_grad=True) for key, a in p.items()}
    functions = SimpleNamespace(
        sigmoid=torch.sigmoid,
        tanh=torch.tanh,
        parts=lambda a, n: a.chunk(n, -1),
        norm=lambda a, weight, bias: torch.nn.functional.layer_norm(a, weight.shape, weight, bias),
    )
    step = CELLS[name](functions, SimpleNamespace(**parameters))

    def forward():
        carried, outputs = tuple(state), []
        for t in range(len(x)):
            carried, y = step(carried, (x[t], *(a[t] for a in rest)) if rest else x[t])
            outputs.append(y)
        return torch.stack(outputs)

    return torch_train(x, [x, *state, *parameters.values()], forward, g)


def jax_scan(name, shape):
    import jax
    from jax import numpy as jnp

    inputs, states, p, g = jax.tree.map(jnp.asarray, numbers(name, shape))

    def norm(a, weight, bias):
        centred = a - a.mean(-1, keepdims=True)
        return centred * jax.lax.rsqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * weight + bias

    functions = SimpleNamespace(
        sigmoid=jax.nn.sigmoid, tanh=jnp.tanh, parts=lambda a, n: jnp.split(a, n, -1), norm=norm
    )

    def outputs(x, rest, state, parameters):
        step = CELLS[name](functions, SimpleNamespace(**parameters))
        return jax.lax.scan(step, tuple(state), (x, *rest) if rest else x)[1]

    @jax.jit
    def both(x, rest, state, parameters, g):
        _, back = jax.vjp(lambda x, state, p: outputs(x, rest, state, p), x, state, parameters)
        return back(g)

    return lambda: np.asarray(jax.block_until_ready(both(inputs[0], inputs[1:], states, p, g))[0])


def stream_ours(name, shape):
    import tinygrad_seq as tg
    from tinygrad_seq import nn

    inputs, states, p, _ = numbers("LSTM", shape)
    cell = nn.LSTMCell(*shape[2:])
    cell.load_state_dict({key.removesuffix("_l0"): a for key, a in p.items()})
    xs, state = [tg.tensor(a) for a in inputs[0]], tuple(tg.tensor(a) for a in states)

    def run():
        carried = state
        with tg.no_grad():
            for x in xs:
                carried, _ = cell(carried, x)
        return carried[0].array

    return run


def stream_torch(name, shape):
    import torch

    x, _, state, p, _ = torch_leaves("LSTM", shape)
    cell = torch.nn.LSTMCell(*shape[2:])
    cell.load_state_dict({key.removesuffix("_l0"): torch.tensor(a) for key, a in p.items()})

    def run():
        carried = tuple(state)
        with torch.no_grad():
            for t in range(len(x)):
                carried = cell(x[t], carried)
        return carried[0].numpy()

    return run


PEERS = {
    "tinygrad_seq": ours,
    "torch.nn": torch_nn,
    "torch eager": torch_eager,
    "jax scan": jax_scan,
    "cell by cell": stream_ours,
    "torch LSTMCell": stream_torch,
    "our LSTM": lambda name, shape: ours("LSTM", shape),
    "our layer-norm LSTM": lambda name, shape: ours("layer-norm LSTM", shape),
}


def peers_of(name):
    if name == "streaming":
        return ["cell by cell", "torch LSTMCell"]
    if name == NORMALISED:
        return ["our LSTM", "our layer-norm LSTM"]
    if name in BUILT_IN:
        return ["tinygrad_seq", "torch.nn"]
    return ["tinygrad_seq", "torch eager", "jax scan"]
