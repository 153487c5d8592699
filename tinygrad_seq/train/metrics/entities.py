"""F1 of named entities: a span counts if its ends and its type are right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Entity(NamedTuple):
    """A span of tokens, from start to before stop."""

    start: int
    stop: int
    kind: str


class F1(NamedTuple):
    """Precision, recall and their harmonic mean, each from 0 to 1."""

    precision: float
    recall: float
    f1: float


def entities(tags: Sequence[str]) -> list[Entity]:
    """Return the entities of a sentence's tags: O, B-kind at a beginning, I-kind inside.

    An I-kind that continues no entity of that kind begins one, as in conlleval.
    Raises ValueError, with the place, for other tags.
    """
    found: list[Entity] = []
    inside = False  # whether the token before belongs to the last entity
    for i, tag in enumerate(tags):
        position, _, kind = tag.partition("-")
        if tag != "O" and (position not in ("B", "I") or not kind):
            raise ValueError(f"tag {i} is {tag!r}, expected 'O', 'B-kind' or 'I-kind'")
        if position == "I" and inside and found[-1].kind == kind:
            found[-1] = found[-1]._replace(stop=i + 1)
        elif position != "O":
            found.append(Entity(i, i + 1, kind))
        inside = position != "O"
    return found


def entity_f1(predictions: Sequence[Sequence[str]], targets: Sequence[Sequence[str]]) -> F1:
    """Return precision, recall and F1 of entities whose span and kind are exactly right.

    predictions, targets: sentences of tags O, B-kind, I-kind; what is not there counts as 0
    Raises ValueError for sentences whose numbers or lengths differ, or other tags.
    Source: Tjong Kim Sang & De Meulder 2003, CoNLL's evaluation.
    """
    if len(predictions) != len(targets):
        raise ValueError(f"entity_f1: {len(predictions)} predictions, {len(targets)} targets")
    hits = predicted = true = 0
    for i, (found, right) in enumerate(zip(predictions, targets, strict=True)):
        if len(found) != len(right):
            raise ValueError(
                f"entity_f1: sentence {i} has {len(found)} tags, expected {len(right)}"
            )
        try:
            ours, theirs = set(entities(found)), set(entities(right))
        except ValueError as error:
            raise ValueError(f"entity_f1: sentence {i}: {error}") from None
        hits, predicted, true = hits + len(ours & theirs), predicted + len(ours), true + len(theirs)
    precision, recall = hits / max(predicted, 1), hits / max(true, 1)
    return F1(precision, recall, 2 * hits / max(predicted + true, 1))
