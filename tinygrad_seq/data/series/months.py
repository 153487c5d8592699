"""A value for every month, from a table."""

from __future__ import annotations

import csv
import io
import math
import os

from ..text import read_text


def read_months(path: str | os.PathLike[str]) -> tuple[list[int], list[float]]:
    """Return months, counted from the year 0, and their values, of a CSV file with titles.

    A line is such as "1949-01",112, and every month follows the one before.
    Raises ValueError naming file and line for other lines, for values that are not finite, and for
    months left out; otherwise as `read_text`.
    """
    name, months, values = os.fspath(path), list[int](), list[float]()
    rows = csv.reader(io.StringIO(read_text(path)))
    next(rows, None)
    for row in rows:
        where = f"{name}, line {rows.line_num}"
        try:
            month, value = row
            year, month_of_year = map(int, month.split("-"))
            values.append(float(value))
        except ValueError:
            raise ValueError(f'{where}: {row}, expected "1949-01",112') from None
        if not math.isfinite(values[-1]):
            raise ValueError(f"{where}: {value} is not finite")
        months.append(year * 12 + month_of_year - 1)
        if not 1 <= month_of_year <= 12 or months[-1] != months[0] + len(months) - 1:
            raise ValueError(f"{where}: {month}, expected a line for every month, in order")
    if not months:
        raise ValueError(f"{name}: no months in it")
    return months, values
