"""A value for every month, from a table."""

from __future__ import annotations

import csv
import io
import math
import os
import reprlib
from collections.abc import Iterator

import numpy as np

from ...engine import checks
from ..text import read_text


def read_months(path: str | os.PathLike[str]) -> tuple[list[int], list[float]]:
    """Return months, counted from the year 0, and their values, of a CSV file with titles.

    A line is such as "1949-01",112, and every month follows the one before.
    Raises ValueError naming file and line for other lines, for values that are not finite, and for
    months left out; otherwise as `read_text`.
    """
    name, months, values = os.fspath(path), list[int](), list[float]()
    for number, row in _rows(name, read_text(path)):
        where = f"{name}, line {number}"
        try:
            month, value = row
            year, month_of_year = map(int, month.split("-"))
            values.append(float(value))
        except ValueError:
            raise ValueError(f'{where}: {reprlib.repr(row)}, expected "1949-01",112') from None
        if not math.isfinite(values[-1]):
            raise ValueError(f"{where}: {value} is not finite")
        months.append(year * 12 + month_of_year - 1)
        if not 1 <= month_of_year <= 12 or months[-1] != months[0] + len(months) - 1:
            raise ValueError(f"{where}: {month}, expected a line for every month, in order")
    if not months:
        raise ValueError(f"{name}: no months in it")
    return months, values


def _rows(name: str, text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the line number and the values of each row but the first."""
    rows = csv.reader(io.StringIO(text))
    try:
        next(rows, None)
        for row in rows:
            yield rows.line_num, row
    except csv.Error as error:
        raise ValueError(f"{name}, line {rows.line_num}: {error}") from error


def made_up_months(number: int) -> tuple[list[int], list[float]]:
    """Return months from 0 on and their values: a yearly wave, growing, on a slow drift, and noise.

    y_t = 100 + 0.2 t + (20 + 0.05 t) sin(2π t / 12) + 2 ε_t, ε_t of deviation 1, always the same
    Raises ValueError for a number below 1.
    """
    t = np.arange(checks.integer("made_up_months: number", number, 1))
    noise = np.random.default_rng(0).standard_normal(number)
    values = 100 + 0.2 * t + (20 + 0.05 * t) * np.sin(2 * np.pi * t / 12) + 2 * noise
    return list(range(number)), values.tolist()
