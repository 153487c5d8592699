"""What a kernel reads its sizes, constants and addresses from, and by which names."""

from __future__ import annotations

from typing import Any

from .program import Buffer

PRODUCTS = ("rows_times_packed", "add_outer", "pack_rows", "copy_rows", "sum_parts")
FIXED = ("T", "B", "TB", "nn", "outer", "pack_rows", "copy_rows", "sum_parts", "stride")
"""The first words of every table: steps, batch, steps of a block, addresses of PRODUCTS, bytes from
one thread's buffers to the next one's."""


class Table:
    """The names of a source's words, and what they hold.

    layout: after the fixed words, ("size", n), ("constant", x), ("pack", number) or
    ("buffer", Buffer) each
    """

    def __init__(self, d: str) -> None:
        self.d, self.size = d, int(d[1])
        self.sizes: dict[tuple[int, str], str] = {}
        self.constants: dict[float, str] = {}
        self.buffers: dict[str, Buffer] = {}
        self.layout: list[tuple[str, Any]] = []

    def length(self, n: int, role: str) -> str:
        """Return the name of a size that the table holds.

        role: what it is the size of; two sizes that are equal by chance have two names
        """
        return self.sizes.setdefault((n, role), f"n{len(self.sizes)}")

    def constant(self, x: float) -> str:
        """Return the name of a constant that the table holds."""
        return self.constants.setdefault(x, f"x_{len(self.constants)}")

    def buffer(self, buffer: Buffer) -> str:
        """Return the name of a buffer that the table holds."""
        self.buffers.setdefault(buffer.name, buffer)
        return buffer.name

    def head(self, packs: int) -> dict[str, list[str]]:
        """Return by each name the lines that read it from the table; notes what that holds."""
        head = {name: [f"{name} = word(table, {i})"] for i, name in enumerate(FIXED)}
        at = len(FIXED)
        for (n, _), name in self.sizes.items():
            head[name] = [f"{name} = word(table, {at})"]
            self.layout.append(("size", n))
            at += 1
        for x, name in self.constants.items():
            head[name] = [f"{name} = get_{self.d}(table + {8 * at})"]
            self.layout.append(("constant", x))
            at += 1
        for i in range(packs):
            head[f"w{i}"] = [f"w{i} = word(table, {at})"]
            self.layout.append(("pack", i))
            at += 1
        for name, buffer in self.buffers.items():
            own = f" + k * word(table, {FIXED.index('stride')})" if is_private(buffer) else ""
            head[name] = [f"{name} = word(table, {at}){own}"]
            at += 1
            self.layout.append(("buffer", buffer))
        return head


def is_private(buffer: Buffer) -> bool:
    """Return whether each thread has a buffer of its own."""
    return buffer.kind in ("block", "tmp", "row", "panel", "part")
