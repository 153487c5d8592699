"""A time series, one step ahead (many-to-one).

    python examples/forecast.py                                a made-up series, half a minute
    python examples/forecast.py --data SERIES_train.csv        SERIES_val.csv beside it
    python examples/forecast.py --data SHORT_train.csv --transform log --window 12 --epochs 300
    python examples/forecast.py --load MODEL --evaluate FILE   score a later part of the series

A file has a line for each month: "1949-01",112. From the months before, the next one is predicted:
z_t = z_t-1 + W h_t-1 + b, where h reads the series z (transformed, mean 0, deviation 1).
The figure: root mean square error of one-step forecasts, in the file's units, beside persistence
(the forecast that nothing changes). The months before a part are taken from what the model knows.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import tinygrad_seq as tg
from tinygrad_seq import data, nn, ops, train
from tinygrad_seq.data import series

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
        if not 0 < window < seen <= len(values):
            raise ValueError(f"{len(values)} months, {seen} of them seen, windows of {window}")
        self.known = dict(zip(months, values, strict=True))
        self.transform, self.window = transform, window
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


def check(source, transform, values):
    """Nothing; raises ValueError for values that cannot be transformed."""
    if transform == "log" and min(values) <= 0:
        raise ValueError(f"{source}: {min(values)} has no logarithm")


def score(title, model, months, values):
    """Root mean square error of the forecasts of these months, beside that of persistence."""
    model.eval()
    check(title, model.transform, values)
    before = [
        model.known[m] for m in range(months[0] - model.window, months[0]) if m in model.known
    ]
    if len(before) < model.window:
        raise ValueError(f"{title}: the model does not know the {model.window} months before it")
    values = np.array([*before, *values])
    targets = values[model.window :]
    error = np.sqrt(np.mean((model.forecasts(values) - targets) ** 2))
    persistence = np.sqrt(np.mean((values[model.window - 1 : -1] - targets) ** 2))
    if not np.isfinite(error):
        raise FloatingPointError(f"{title}: the forecasts' error is {error}")
    print(f"{title}: root mean square error {error:.3f}, persistence {persistence:.3f}, "
          f"ratio {error / persistence:.3f}", flush=True)  # fmt: skip
    return error


def make(options):
    """A model trained on the series of --data, and saved."""
    if options.data:
        path = Path(options.data)
        months, values = series.read_months(path)
        later = series.read_months(path.with_name(path.name.replace("train", "val")))
        if later[0][0] != months[-1] + 1:
            raise ValueError(f"{path}: the months to validate on do not follow")
    else:
        months, values = series.made_up_months(480)
        later = months[-96:], values[-96:]
        months, values = months[:-96], values[:-96]
    settings = train.settings_of(options, "transform", "window", "hidden", "dropout")
    settings |= {"months": months + later[0], "values": values + later[1], "seen": len(values)}
    check(options.data, options.transform, settings["values"])
    if len(values) <= options.window or min(values) == max(values):
        raise ValueError(f"{options.data}: {len(values)} months, expected more than --window "
                         f"{options.window}, and values that change")  # fmt: skip
    model = Forecaster(**settings)
    windows, targets = model.windows(values)
    print(f"{len(windows)} windows of {options.window} months, validation on {len(later[0])}")
    print(model)

    def loss(batch, _):
        z, _, target = batch
        return ops.mse_loss(model(tg.tensor(z)), tg.tensor(target[:, None])), None

    batches = data.PaddedBatches(list(windows), options.batch, targets=targets[:, 0])
    train.fit(model, loss, batches, lambda: score("validation", model, *later), options,
              weight_decay=0.01)  # fmt: skip
    score("validation, best", model, *later)
    train.save_model(train.model_path(options), model, settings)
    return model


def draw(path, model, number=120):
    """A picture of the last months that the model knows, with its forecasts."""
    months, values = list(model.known), list(model.known.values())
    number = min(number, len(values) - model.window)
    years = np.array(months[-number:]) / 12
    with train.picture(path, (8, 3)) as axes:
        axes.plot(years, values[-number:], label="measured")
        made = model.forecasts(values[-number - model.window :])
        axes.plot(years, made, "--", label="forecast a month before")
        axes.set_xlabel("year")
        axes.legend(loc="upper left")


def main():
    parser = train.program_parser(
        __doc__, "runs/forecast", epochs=(40, 20), hidden=48, dropout=0.2, batch=32
    )
    add = parser.add_argument
    add("--transform", choices=TRANSFORMS, default="none", help="of the values (default: none)")
    add("--window", type=train.positive, default=36, help="months before (default: 36)")
    parser.set_defaults(lr=0.002)
    options = train.parse_options(parser)
    model = train.load_model(options.load, Forecaster) if options.load else make(options)
    draw(Path(options.folder) / "forecast.png", model)
    if options.evaluate:
        score(options.evaluate, model, *series.read_months(options.evaluate))


if __name__ == "__main__":
    train.run_program(main)
