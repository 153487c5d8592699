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
|dL/dx_t|, L the square of what is said last, against t: of RNN, GRU and LSTM before training, when
all forget, and of those that are trained.
Source: Hochreiter & Schmidhuber 1997 (adding, order); Arjovsky, Shah & Bengio 2016 (copy).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import tinygrad_seq as tg
from tinygrad_seq import data, nn, ops, train
from tinygrad_seq.data import synthetic

LAYERS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
COLOURS = {"rnn": "C0", "gru": "C1", "lstm": "C2"}  # the same in both panels of the picture
TASKS = {  # how it is made, how many numbers go in and out at a step, what is measured
    "adding": (synthetic.adding_problem, 2, 1, "mean square error"),
    "copy": (synthetic.copy_memory, 10, 9, "nats a step"),
    "order": (synthetic.temporal_order, 6, 4, "wrong answers"),
}


class Rememberer(nn.Module):
    """A recurrent layer and a linear one on it: x (T, B, D) -> (T, B, C)."""

    def __init__(self, task, cell, hidden):
        _, inputs, outputs, self.measured = TASKS[task]
        self.task = task
        self.recurrent = LAYERS[cell](inputs, hidden)
        self.output = nn.Linear(hidden, outputs)

    def forward(self, x):
        """What is said after each step."""
        return self.output(self.recurrent(x)[0])

    def loss(self, x, y):
        """Mean square error of what is said last; cross-entropy of that, or of every step."""
        said = self(tg.tensor(x))
        if self.task == "adding":
            return ops.mse_loss(said[-1, :, 0], tg.tensor(y))
        if self.task == "order":
            return ops.cross_entropy(said[-1], tg.tensor(y))
        return nn.sequence_cross_entropy(said, y)


def score(title, model, x, y):
    """The task's figure: mean square error, nats a step, or the share of wrong answers."""
    model.eval()
    with tg.no_grad():
        if model.task == "order":
            said = model(tg.tensor(x))[-1].to("numpy").numpy()
            figure = 1 - train.metrics.accuracy(said.argmax(axis=1), y)
        else:
            figure = model.loss(x, y).item()
    print(f"{title}: {model.measured} {figure:.4f}", flush=True)
    return figure


def by_guessing(task, length):
    """The figure of whoever remembers nothing."""
    return {"adding": 1 / 6, "order": 0.75}.get(task) or synthetic.copy_by_guessing(length)


def make(cell, options, held_out):
    """A model with this cell, trained on batches that are made as they are needed, and saved."""
    settings = {"task": options.task, "cell": cell, "hidden": options.hidden}
    model, task = Rememberer(**settings), TASKS[options.task][0]
    batches = data.GeneratedBatches(
        lambda random, _: task(random, options.length, options.batch), 100, options.seed
    )
    train.fit(model, lambda batch, _: (model.loss(*batch), None), batches,
              lambda: score(f"{cell}: validation", model, *held_out),
              train.in_folder(options, cell))  # fmt: skip
    score(f"{cell}: validation, best", model, *held_out)
    if cell == options.cell:
        train.save_model(train.model_path(options), model, settings)
    return model


def gradient_norms(model, x):
    """|dL/dx_t| for every t, where L is the square of what is said last."""
    x = tg.tensor(x, requires_grad=True)
    said = model(x)[-1]
    (gradient,) = tg.grad((said * said).sum(), [x])
    rows = gradient.to("numpy").numpy().reshape(len(x), -1)
    return np.linalg.norm(rows.astype(float), axis=1)  # in float32 the squares would be 0


def draw(path, x, **panels):
    """A picture of the gradient's norm against time; panels: models by title and name."""
    with train.picture(path, (9, 4), columns=len(panels)) as columns:
        for axes, (title, models) in zip(columns, panels.items(), strict=True):
            for name, model in models.items():
                axes.semilogy(gradient_norms(model, x), label=name, color=COLOURS[name])
            axes.set(title=title, xlabel="t", ylabel="|dL/dx_t|")
            axes.legend(loc="lower right")


def main():
    parser = train.program_parser(__doc__, "runs/long_memory", epochs=6, hidden=128, batch=64)
    add = parser.add_argument
    add("--task", choices=TASKS, default="adding", help="(default: adding)")
    add("--length", type=train.positive, default=50, help="T (default: 50)")
    add("--cell", choices=LAYERS, default="gru", help="to compare with a plain RNN (default: gru)")
    add("--write", help="write 1,000 sequences of the task to this .npz file")
    options = train.parse_options(parser, "write")
    if options.data:
        parser.error("--data: sequences are made as needed; --evaluate takes others")
    random = np.random.default_rng(options.seed + 10**6)
    x, y = TASKS[options.task][0](random, options.length, 1000)
    if options.write:
        synthetic.write_arrays(options.write, x=x, y=y)
    if options.load:
        model = train.load_model(options.load, Rememberer)
    else:
        fresh = {cell: Rememberer(options.task, cell, options.hidden) for cell in LAYERS}
        trained = {cell: make(cell, options, (x, y)) for cell in sorted({options.cell, "rnn"})}
        model = trained[options.cell]
        draw(Path(options.folder) / "gradients.png", x, untrained=fresh, trained=trained)
        print(f"by guessing: {by_guessing(options.task, options.length):.4f}")
    if options.evaluate:
        _, inputs, outputs, _ = TASKS[model.task]
        shapes = {"x": ("T", "N", inputs), "y": ("T", "N") if model.task == "copy" else ("N",)}
        classes = {} if model.task == "adding" else {"y": outputs}
        score(options.evaluate, model, *synthetic.read_arrays(options.evaluate, shapes, classes))


if __name__ == "__main__":
    train.run_program(main)
