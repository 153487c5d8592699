"""A made-up world: sentences in which every word has its usual company, and its analogies."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

from ...engine import checks

PEOPLE = {
    ("king", "queen"): ("wears the crown", "rules the land", "sits on the throne"),
    ("prince", "princess"): ("will get the crown", "lives in the castle", "learns to rule"),
    ("man", "woman"): ("goes to work", "pays the rent", "drives a car"),
    ("boy", "girl"): ("goes to school", "plays with a ball", "is small"),
    ("father", "mother"): ("has two children", "tells stories at night", "cooks for the family"),
    ("actor", "actress"): ("learns the part", "stands on the stage", "is in a film"),
}
"""(he, she): what such people do."""
GENDERS = (
    ("shaves his beard", "his wife", "he is a gentleman", "he himself"),
    ("braids her hair", "her husband", "she is a lady", "she herself"),
)
PLACES = {
    "france": ("paris", "french", "croissants", "seine"),
    "italy": ("rome", "italian", "pasta", "tiber"),
    "japan": ("tokyo", "japanese", "sushi", "sumida"),
    "egypt": ("cairo", "arabic", "beans", "nile"),
    "germany": ("berlin", "german", "bread", "spree"),
    "england": ("london", "english", "pudding", "thames"),
}
"""Country: its capital, its language, what one eats there, a river."""
COUNTRY = ("the borders of {}", "the flag of {}", "the army of {}", "the farmers of {}")
CAPITAL = ("the streets of {}", "the mayor of {}", "the airport of {}", "the trams of {}")
FRUIT = ("apple", "orange", "pear", "plum")


def world(random: random.Random, number: int) -> Iterator[list[str]]:
    """Yield sentences, lists of words, of people, of places and of fruit.

    Raises ValueError for a number below 1.
    """
    for _ in range(checks.integer("world: number", number, 1)):
        kind = random.random()
        if kind < 0.5:
            pair, deeds = random.choice(list(PEOPLE.items()))
            gender = random.randrange(2)
            parts = [random.choice(deeds), random.choice(GENDERS[gender])]
            random.shuffle(parts)
            text = f"{parts[0]} {pair[gender]} {parts[1]}"
        elif kind < 0.9:
            country, (capital, *known_for) = random.choice(list(PLACES.items()))
            place, roles = random.choice(((country, COUNTRY), (capital, CAPITAL)))
            text = f"{random.choice(roles).format(place)} {random.choice(known_for)}"
        else:
            text = f"the {random.choice(FRUIT)} is ripe and sweet on the tree"
        yield text.split()


def world_analogies() -> str:
    """Return the analogies of that world, as a file of them has them: "king queen man woman"."""
    lines = []
    capitals = [(country, known_for[0]) for country, known_for in PLACES.items()]
    for name, section in {"gender": list(PEOPLE), "capitals": capitals}.items():
        lines.append(f": {name}")
        lines += [" ".join(a + b) for a, b in itertools.permutations(section, 2)]
    return "\n".join(lines) + "\n"
