"""What a recurrent network can remember: three tasks made for it (many-to-one).

    python examples/long_memory.py                             adding, 50 steps, half a minute
    python examples/long_memory.py --task adding --length 100 --cell gru
    python examples/long_memory.py --task copy --length 20     or order
    python examples/long_memory.py --load MODEL --evaluate FILE.npz

adding  two of T numbers are marked; their sum is wanted at the end. Figure: mean square error;
        0.167 for whoever always says 1.
copy    ten of eight symbols, T blanks, a sign: then the ten again. Figure: nats a step over all
        T + 20 steps; 10 log 8 / (T + 20) for whoever guesses: 0.52 for T = 20, 0.1733 for 100.
order   X or Y stands at two places among T distractors; which came, in which order? Figure: share
        of wrong answers; 0.75 by guessing.
Beside the chosen cell a plain RNN is trained: the lecture's vanishing gradient. The picture shows
|dL/dx_t|, of the loss at the last step, against t, for RNN, GRU and LSTM before training.
Source: Hochreiter & Schmidhuber 1997 (adding, order); Arjovsky, Shah & Bengio 2016 (copy).
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

import tinygrad_seq as tg
from tinygrad_seq import data, nn, ops
from tinygrad_seq.train import (
    fit,
    load_model,
    model_path,
    parse_options,
    positive,
    program_parser,
    run_program,
    save_model,
)

LAYERS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


def adding(random, T, B):
    """x (T, B, 2): numbers and marks, one mark in each half; y (B,): the sum of the marked two."""
    x = np.zeros((T, B, 2), dtype=np.float32)
    x[..., 0] = random.random((T, B))
    first, second = random.integers(0, T // 2, B), random.integers(T // 2, T, B)
    x[first, range(B), 1] = x[second, range(B), 1] = 1
    return x, (x[..., 0] * x[..., 1]).sum(axis=0)


def copy(random, T, B):
    """x (T + 20, B, 10) one-hot: ten symbols, blanks, a sign; y (T + 20, B): blanks, the ten."""
    symbols = random.integers(0, 8, (10, B))
    ids, y = np.full((T + 20, B), 8), np.full((T + 20, B), 8)
    ids[:10], ids[T + 10 - 1], y[-10:] = symbols, 9, symbols
    return np.eye(10, dtype=np.float32)[ids], y


def order(random, T, B):
    """x (T, B, 6) one-hot: X or Y after a tenth and after half of T, else noise; y (B,) of four."""
    ids = random.integers(2, 6, (T, B))
    early, late = (random.integers(a * T // 10, (a + 1) * T // 10, B) for a in (1, 5))
    ids[early, range(B)], ids[late, range(B)] = random.integers(0, 2, (2, B))
    y = 2 * ids[early, range(B)] + ids[late, range(B)]
    return np.eye(6, dtype=np.float32)[ids], y


TASKS = {"adding": (adding, 2, 1), "copy": (copy, 10, 9), "order": (order, 6, 4)}


class Rememberer(nn.Module):
    """A recurrent layer and a linear one on it: x (T, B, D) -> (T, B, C)."""

    def __init__(self, task, cell, hidden):
        _, inputs, outputs = TASKS[task]
        self.task = task
        self.recurrent = LAYERS[cell](inputs, hidden)
        self.output = nn.Linear(hidden, outputs)

    def forward(self, x):
        """What is said after each step."""
        return self.output(self.recurrent(x)[0])

    def loss(self, x, y):
        """Mean square error of what is said last; cross-entropy of that, or of every step."""
        said = self(x if isinstance(x, tg.Tensor) else tg.tensor(x))
        if self.task == "adding":
            return ops.mse_loss(said[-1, :, 0], tg.tensor(y))
        if self.task == "order":
            return ops.cross_entropy(said[-1], tg.tensor(y))
        return ops.cross_entropy(said.reshape(-1, said.shape[-1]), tg.tensor(y.reshape(-1)))


def score(title, model, x, y):
    """The task's figure: mean square error, nats a step, or the share of wrong answers."""
    model.eval()
    with tg.no_grad():
        if model.task == "order":
            said = model(tg.tensor(x))[-1].to("numpy").numpy()
            figure, name = float(np.mean(said.argmax(axis=1) != y)), "wrong answers"
        else:
            figure = model.loss(x, y).item()
            name = "mean square error" if model.task == "adding" else "nats a step"
    print(f"{title}: {name} {figure:.4f}", flush=True)
    return figure


def train(cell, options, held_out):
    """A model with this cell, trained."""
    settings = {"task": options.task, "cell": cell, "hidden": options.hidden}
    model = Rememberer(**settings)
    make, sizes = TASKS[options.task][0], (options.length, options.batch)
    batches = data.GeneratedBatches(lambda random, _: make(random, *sizes), 100, options.seed)
    folder, options.folder = options.folder, str(Path(options.folder) / cell)
    fit(model, lambda batch, _: (model.loss(*batch), None), batches,
        lambda: score(f"{cell}: validation", model, *held_out), options)  # fmt: skip
    options.folder = folder
    score(f"{cell}: validation, best", model, *held_out)
    return model, settings


def gradients(cell, options, batch):
    """|dL/dx_t| for every t, of the last step's loss, of a model that has learnt nothing yet."""
    x = tg.tensor(batch[0], requires_grad=True)
    said = Rememberer(options.task, cell, options.hidden)(x)[-1]
    (gradient,) = tg.grad((said * said).sum(), [x])
    return np.sqrt((gradient.to("numpy").numpy() ** 2).sum(axis=(1, 2)))


def draw(path, options, batch):
    """A picture of the gradient's norm against time, for every cell."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    for cell in LAYERS:
        axes.semilogy(gradients(cell, options, batch), label=cell)
    axes.set_xlabel("t")
    axes.set_ylabel("|dL/dx_t|")
    axes.legend()
    figure.savefig(path)
    print(f"picture: {path}")


def main():
    parser = program_parser(__doc__, "runs/long_memory")
    add = parser.add_argument
    add("--task", choices=TASKS, default="adding", help="(default: adding)")
    add("--length", type=positive, default=50, help="T (default: 50)")
    add("--cell", choices=LAYERS, default="gru", help="to compare with a plain RNN (default: gru)")
    add("--hidden", type=positive, default=128, help="width of h (default: 128)")
    add("--batch", type=positive, default=64, help="sequences a batch (default: 64)")
    add("--write", help="write 1,000 sequences of the task to this .npz file")
    options = parse_options(parser)
    options.epochs = options.epochs or 6
    if options.length < 20:
        raise ValueError(f"--length is {options.length}, expected at least 20")
    held_out = TASKS[options.task][0](
        np.random.default_rng(options.seed + 10**6), options.length, 1000
    )
    if options.write:
        np.savez(options.write, x=held_out[0], y=held_out[1])
    if options.load:
        model = load_model(options.load, Rememberer)
    else:
        Path(options.folder).mkdir(parents=True, exist_ok=True)
        draw(Path(options.folder) / "gradients.png", options, held_out)
        model, settings = train(options.cell, options, held_out)
        save_model(model_path(options), model, settings)
        if options.cell != "rnn":
            train("rnn", options, held_out)
        guess = {"adding": 1 / 6, "order": 0.75, "copy": 10 * math.log(8) / (options.length + 20)}
        print(f"by guessing: {guess[options.task]:.4f}")
    if options.evaluate:
        with np.load(options.evaluate, allow_pickle=False) as file:
            score(options.evaluate, model, file["x"], file["y"])


if __name__ == "__main__":
    run_program(main)
