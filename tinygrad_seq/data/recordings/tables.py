"""Tables beside recordings: rows by column, each with the file and line where it stands."""

from __future__ import annotations

import csv
import io
import os
import reprlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from ..text import read_text


class Row(NamedTuple):
    """One row of a table: the file and line where it stands, and its values by column."""

    where: str
    values: Mapping[str, str]


def read_table(path: str | os.PathLike[str], columns: Sequence[str] = ()) -> list[Row]:
    """Return the rows of a CSV file, plain or gzip, whose first line has the columns' titles.

    columns: those that there must be, with a value in every row; others may be there too
    Raises ValueError with the file and line for rows of another width, empty values, missing or
    double titles or no rows; FileNotFoundError for no file.
    """
    reader = csv.reader(io.StringIO(read_text(path)), strict=True)
    rows: list[Row] = []
    try:
        titles = next(reader, [])
        missing = [name for name in columns if titles.count(name) != 1]
        if missing or not titles:
            found = reprlib.repr(titles)  # of any file, lines may be long
            raise ValueError(f"{path}, line 1: titles {found}, expected {', '.join(columns)}")
        for fields in reader:
            where = f"{path}, line {reader.line_num}"
            if not fields:
                continue
            if len(fields) != len(titles):
                raise ValueError(f"{where}: {len(fields)} values, expected {len(titles)}")
            values = dict(zip(titles, fields, strict=True))
            for name in columns:
                if not values[name].strip():
                    raise ValueError(f"{where}: no {name}")
            rows.append(Row(where, values))
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: {error}") from error
    if not rows:
        raise ValueError(f"{path}: no rows in it")
    return rows


def only_table(path: str | os.PathLike[str], pattern: str) -> Path:
    """Return a path, or of a folder the one file in it that matches. Raises FileNotFoundError."""
    if not Path(path).is_dir():
        return Path(path)
    tables = sorted(Path(path).glob(pattern))
    if len(tables) != 1:
        raise FileNotFoundError(f"{path}: {len(tables)} files {pattern}, expected one")
    return tables[0]


def table_of(where: str) -> str:
    """Return the table that a `Row.where` names, without its line."""
    return where.rpartition(", line ")[0] or where


@contextmanager
def named(where: str) -> Iterator[None]:
    """Names the line of a table in errors of what it asks for."""
    try:
        yield
    except (ValueError, FileNotFoundError) as error:
        kind = FileNotFoundError if isinstance(error, FileNotFoundError) else ValueError
        raise kind(f"{where}: {error}") from error
