"""Items in groups, those of one speaker, say: left out in turn, drawn alike from each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np


def groups_of(names: Sequence[str]) -> dict[str, list[int]]:
    """Return for every name the places where it stands, the names in their order.

    names: the group of every item (its speaker, say)
    """
    return {name: [i for i, own in enumerate(names) if own == name] for name in sorted(set(names))}


def leave_one_out(names: Sequence[str]) -> Iterator[tuple[str, list[int], list[int]]]:
    """Yield each group with the places of all others, to train on, and its own, to test on.

    names: the group of every item; the groups come in order of their names
    Raises ValueError for fewer than two groups.
    """
    groups = groups_of(names)
    if len(groups) < 2:
        raise ValueError(f"leave_one_out: the groups are {list(groups)}, expected two or more")
    for name, own in groups.items():
        yield name, [i for i, other in enumerate(names) if other != name], own


def draw_of_each(
    groups: Mapping[str, Sequence[int]], size: int, generator: np.random.Generator
) -> Iterator[int]:
    """Yield places of `size` items of each group, drawn at random, group by group.

    groups: as `groups_of` returns them; of one with fewer items, some are drawn more than once
    """
    for places in groups.values():
        for place in generator.choice(places, size, replace=len(places) < size):
            yield int(place)


def spread_of_each(groups: Mapping[str, Sequence[int]], size: int) -> list[int]:
    """Return places of `size` items of each group, evenly spread over it, group by group.

    groups: as `groups_of` returns them   size: of a group of n the k-th is its (k · n // size)-th
    """
    return [places[k * len(places) // size] for places in groups.values() for k in range(size)]
