"""A time series, one step ahead (many-to-one).

    python examples/forecast.py                                a made-up series, half a minute
    python examples/forecast.py --data SERIES_train.csv        SERIES_val.csv beside it
    python examples/forecast.py --load MODEL --evaluate FILE   score a later part of the series

A file has a line for each month: "1949-01",112. From the months before, the next one is predicted:
z_t = z_t-1 + W h_t-1 + b, where h reads the series z (transformed, mean 0, deviation 1).
The figure: root mean square error of one-step forecasts, in the file's units, beside persistence
(the forecast that nothing changes). The months before a part are taken from what the model knows.
"""

from __future__ import annotations

import csv
import io
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
    probability,
    program_parser,
    run_program,
    save_model,
)

TRANSFORMS = {  # what stabilises the variance, and back
    "none": (lambda y: y, lambda z: z),
    "sqrt": (lambda y: np.sqrt(np.maximum(y, 0)), lambda z: np.maximum(z, 0) ** 2),
    "log": (np.log, np.exp),
}


class Forecaster(nn.Module):
    """The next value of a standardised series: windows z (L, B, 1) -> (B, 1).

    months, values: the series that is known; the first `seen` values are trained on
    """

    def __init__(self, months, values, seen, transform, window, hidden, dropout):
        self.known, self.transform, self.window = (
            dict(zip(months, values, strict=True)),
            transform,
            window,
        )
        trained = TRANSFORMS[transform][0](np.array(values[:seen]))
        self.mean, self.deviation = trained.mean(), trained.std()
        self.recurrent, self.dropout = nn.GRU(1, hidden), nn.Dropout(dropout)
        self.output = nn.Linear(hidden, 1)

    def forward(self, z):
        """The value after each window: the last one, and a change."""
        _, h = self.recurrent(z)
        return z[-1] + self.output(self.dropout(h[0]))

    def standard(self, values):
        """Values transformed, with mean 0 and deviation 1 over the months trained on."""
        return (TRANSFORMS[self.transform][0](np.array(values)) - self.mean) / self.deviation

    def windows(self, values):
        """Windows (N, L, 1) of a series and what follows each, (N, 1)."""
        z = self.standard(values).astype(np.float32)
        windows = np.lib.stride_tricks.sliding_window_view(z[:-1], self.window)
        return windows[..., None], z[self.window :, None]

    def forecasts(self, values):
        """One-step forecasts of values[window:], in the file's units."""
        with tg.no_grad():
            z = self(tg.tensor(self.windows(values)[0].swapaxes(0, 1).copy()))
        z = z.to("numpy").numpy()[:, 0].astype(float)
        return TRANSFORMS[self.transform][1](z * self.deviation + self.mean)


def read_series(path):
    """Months and values of a CSV file with a line of titles."""
    rows = list(csv.reader(io.StringIO(data.read_text(path))))
    months, values = [], []
    for number, row in enumerate(rows[1:], start=2):
        try:
            month, value = row
            year, month_of_year = map(int, month.split("-"))
            values.append(float(value))
        except ValueError:
            raise ValueError(f'{path}, line {number}: {row}, expected "1949-01",112') from None
        if not np.isfinite(values[-1]):
            raise ValueError(f"{path}, line {number}: {value} is not finite")
        months.append(year * 12 + month_of_year - 1)
    if not values or months != list(range(months[0], months[0] + len(months))):
        raise ValueError(f"{path}: expected a line for every month, in order")
    return months, values


def made_up_series(number=480):
    """A yearly wave of growing height on a slow drift, with a little noise."""
    t, noise = np.arange(number), np.random.default_rng(0).standard_normal(number)
    values = 100 + 0.2 * t + (20 + 0.05 * t) * np.sin(2 * np.pi * t / 12) + 2 * noise
    return list(range(number)), values.tolist()


def score(title, model, months, values):
    """Root mean square error of the forecasts of these months, beside that of persistence."""
    model.eval()
    before = [
        model.known[m] for m in range(months[0] - model.window, months[0]) if m in model.known
    ]
    if len(before) < model.window:
        raise ValueError(f"{title}: the model does not know the {model.window} months before it")
    values = np.array([*before, *values])
    targets = values[model.window :]
    error = np.sqrt(np.mean((model.forecasts(values) - targets) ** 2))
    persistence = np.sqrt(np.mean((values[model.window - 1 : -1] - targets) ** 2))
    print(f"{title}: root mean square error {error:.3f}, persistence {persistence:.3f}, "
          f"ratio {error / persistence:.3f}", flush=True)  # fmt: skip
    return error


def make(options):
    """A model trained on the series of --data, and saved."""
    if options.data:
        path = Path(options.data)
        months, values = read_series(path)
        later = read_series(path.with_name(path.name.replace("train", "val")))
        if later[0][0] != months[-1] + 1:
            raise ValueError(f"{path}: the months to validate on do not follow")
    else:
        months, values = made_up_series()
        later = months[-96:], values[-96:]
        months, values = months[:-96], values[:-96]
    names = ("transform", "window", "hidden", "dropout")
    settings = {name: getattr(options, name) for name in names} | {"seen": len(values)}
    settings |= {"months": months + later[0], "values": values + later[1]}
    model = Forecaster(**settings)
    windows, targets = model.windows(values)
    print(f"{len(windows)} windows of {options.window} months, validation on {len(later[0])}")
    print(model)

    def loss(batch, _):
        z, _, target = batch
        return ops.mse_loss(model(tg.tensor(z)), tg.tensor(target[:, None])), None

    fit(
        model,
        loss,
        data.PaddedBatches(list(windows), options.batch, targets=targets[:, 0]),
        lambda: score("validation", model, *later),
        options,
        weight_decay=options.weight_decay,
    )
    score("validation, best", model, *later)
    save_model(model_path(options), model, settings)
    return model


def draw(path, model, number=120):
    """A picture of the last months that the model knows, with its forecasts."""
    from matplotlib.figure import Figure

    months, values = list(model.known), list(model.known.values())
    number = min(number, len(values) - model.window)
    figure = Figure(figsize=(8, 3), layout="constrained")
    axes = figure.subplots()
    axes.plot(np.array(months[-number:]) / 12, values[-number:], label="measured")
    made = model.forecasts(values[-number - model.window :])
    axes.plot(np.array(months[-number:]) / 12, made, "--", label="forecast a month before")
    axes.set_xlabel("year")
    axes.legend()
    figure.savefig(path)


def main():
    parser = program_parser(__doc__, "runs/forecast")
    add = parser.add_argument
    add("--transform", choices=TRANSFORMS, default="none", help="of the values (default: none)")
    add("--window", type=positive, default=36, help="months before (default: 36)")
    add("--hidden", type=positive, default=48, help="width of h (default: 48)")
    add("--dropout", type=probability, default=0.2, help="of h (default: 0.2)")
    add("--weight-decay", type=float, default=0.01, help="(default: 0.01)")
    add("--batch", type=positive, default=32, help="windows a batch (default: 32)")
    options = parse_options(parser)
    options.epochs = options.epochs or (40 if options.data else 20)
    model = load_model(options.load, Forecaster) if options.load else make(options)
    picture = Path(options.folder) / "forecast.png"
    picture.parent.mkdir(parents=True, exist_ok=True)
    draw(picture, model)
    print(f"picture: {picture}")
    if options.evaluate:
        score(options.evaluate, model, *read_series(options.evaluate))


if __name__ == "__main__":
    run_program(main)
