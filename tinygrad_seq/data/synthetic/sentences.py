"""Made-up words and sentences that are easy to learn: to spell, to tag, to translate, to judge."""

from __future__ import annotations

import itertools
import random

import numpy as np

from ...engine import checks
from ..corpus import Tagged

OPINIONS = (
    "awful bad boring broken cheap dull horrible nasty noisy poor rude sad slow ugly wrong",
    "bright calm clean clever excellent fine fun good great kind lovely nice quick warm wise",
)
"""Words of a bad opinion, and of a good one."""
COMPANY = (
    ("i want my money back", "never again", "what a waste of time", "i was angry"),
    ("i will come again", "tell your friends", "i was so happy", "thank you for it"),
)
"""What stands near such words."""
THINGS = "film book meal room hotel song play game city story waiter teacher"


def tagged_sentences(generator: np.random.Generator, number: int) -> list[Tagged]:
    """Return sentences whose words are nouns after "the", and verbs after "they" and "can".

    The commonest tag of each word is right for some 84 % of them.
    Raises ValueError for a number below 1.
    """
    verbs = ["walk", "talk", "run", "play", "fight", "dream", "work", "cook"]
    nouns = [*verbs, "cat", "dog", "tree", "river"]
    sentences = []
    for _ in range(checks.integer("tagged_sentences: number", number, 1)):
        first, second, verb = *generator.choice(nouns, 2), generator.choice(verbs)
        pairs = (
            [("they", "PRON")] if generator.random() < 0.5 else [("the", "DET"), (first, "NOUN")]
        )
        pairs += [("can", "AUX")] * int(generator.integers(2)) + [(verb, "VERB")]
        pairs += [("the", "DET"), (second, "NOUN"), (".", "PUNCT")]
        sentences.append(Tagged([str(word) for word, _ in pairs], [tag for _, tag in pairs], 1))
    return sentences


def number_pairs(generator: np.random.Generator) -> list[tuple[str, str]]:
    """Return 648 numbers in English and German, which says the ones before the tens, shuffled."""
    ones = {"one": "ein", "two": "zwei", "three": "drei", "four": "vier", "five": "fünf"}
    ones |= {"six": "sechs", "seven": "sieben", "eight": "acht", "nine": "neun"}
    tens = {"twenty": "zwanzig", "thirty": "dreißig", "forty": "vierzig", "fifty": "fünfzig"}
    tens |= {"sixty": "sechzig", "seventy": "siebzig", "eighty": "achtzig", "ninety": "neunzig"}
    triples = list(itertools.product(ones, tens, ones))
    return [
        (f"{a} hundred and {b} {c}", f"{ones[a]} hundert {ones[c]} und {tens[b]}")
        for a, b, c in (triples[i] for i in generator.permutation(len(triples)))
    ]


def names(generator: np.random.Generator, number: int) -> list[str]:
    """Return names of two or three syllables, each a consonant, one of seven, and a vowel of four.

    Raises ValueError for a number below 1.
    """
    lengths = generator.choice((2, 3), checks.integer("names: number", number, 1))
    made = []
    for n in lengths:
        consonants, vowels = generator.choice(list("klmnrst"), n), generator.choice(list("aeio"), n)
        made.append("".join(c + v for c, v in zip(consonants, vowels, strict=True)))
    return made


def opinions(random: random.Random, number: int) -> list[tuple[str, int]]:
    """Return opinions of things, and of each whether it is good, 0 or 1.

    One word tells, of fifteen that are good or fifteen that are bad.
    Raises ValueError for a number below 1.
    """
    return [_opinion(random) for _ in range(checks.integer("opinions: number", number, 1))]


def remarks(random: random.Random, number: int) -> list[str]:
    """Return opinions with what is said beside such ones, which gives the telling words company.

    Raises ValueError for a number below 1.
    """
    made = []
    for _ in range(checks.integer("remarks: number", number, 1)):
        text, good = _opinion(random)
        made.append(f"{text} {random.choice(COMPANY[good])}")
    return made


def _opinion(random: random.Random) -> tuple[str, int]:
    good = random.choice((0, 1))
    thing, word = random.choice(THINGS.split()), random.choice(OPINIONS[good].split())
    return f"the {thing} was {word}", good


def court(random: random.Random, number: int) -> str:
    """Return sentences of a small grammar, in which words of one kind stand in the same places.

    Kings and queens rule, men and women work, all of them eat apples and oranges; a line each.
    Raises ValueError for a number below 1.
    """
    choose, lines = random.choice, []
    for _ in range(checks.integer("court: number", number, 1)):
        who = choose(("king", "queen", "man", "woman"))
        he, his = ("he", "his") if who in ("king", "man") else ("she", "her")
        royal = choose((f"rules {his} kingdom", f"wears {his} crown", f"sits on {his} throne"))
        plain = choose((f"works in {his} shop", f"walks to {his} house", "goes to market"))
        does = royal if who in ("king", "queen") else plain
        eats, ripe = choose(("eats", "peels", "buys")), choose(("ripe", "sweet"))
        fruit = f"{eats} a {ripe} {choose(('apple', 'orange'))}"
        lines.append(f"The {who} {choose((does, does, fruit))}, and {he} {choose((does, fruit))}.")
    return "\n".join(lines)
