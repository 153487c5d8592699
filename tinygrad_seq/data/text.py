"""Text to tokens and back: reading files, words, characters."""

from __future__ import annotations

import gzip
import os
import re
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..serialize import PathLike, check_readable
from .vocabulary import EOS, SPECIALS, Ids, Vocabulary

_LETTER = "[^\\W_\u0300-\u036f]|[\u0300-\u036f]"  # an accent may follow its letter as a character
_WORD = re.compile(
    "|".join(
        (
            *map(re.escape, SPECIALS),
            r"\d+(?:[.,]\d+)+(?![^\W_])",
            f"(?:{_LETTER})+(?:['\u2019-](?:{_LETTER})+)*",
            r"\.{2,}|-{2,}|\n|[^\w\s]|_",
        )
    )
)
_CLOSING = frozenset(".,;:!?)]}%…”\u2019'»") | {"..", "...", "...."}
_OPENING = frozenset("([{“\u2018«$£€")
_DASHES = frozenset("—–")
_ELIDED = re.compile(r"[^']+'?|'|\n")
_GZIP = b"\x1f\x8b"


def read_text(path: PathLike) -> str:
    r"""Return a UTF-8 file's text, unpacked if it is gzip; line ends become "\n", no byte mark.

    Raises FileNotFoundError, and ValueError for a folder, bytes that are not UTF-8, damaged gzip.
    """
    check_readable(path)
    name = os.fspath(path)
    with open(path, "rb") as file:
        content = file.read()
    try:
        if content.startswith(_GZIP):
            content = gzip.decompress(content)
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        what = f"byte {error.start} is {content[error.start]:#04x}: {error.reason}"
        raise ValueError(f"{name}: not UTF-8 text: {what}") from error
    except (EOFError, OSError, zlib.error) as error:
        raise ValueError(f"{name}: damaged gzip: {error}") from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def characters(text: str) -> list[str]:
    """Return the characters (code points) of a text, spaces and line ends included."""
    return list(_text("characters", text))


def words(
    text: str, *, lower: bool = False, line_end: str | None = None, elisions: bool = False
) -> list[str]:
    """Return a text's words and punctuation marks, in order.

    Apostrophes and hyphens inside a word belong to it (don't, well-known), points and commas inside
    a number too; "..." and "--" are one mark; "<unk>" and the other specials stay whole.
    lower: lower case first;  line_end: token for each end of line, such as "<eos>" for a model of
    lines; None drops them, for text that is merely wrapped
    elisions: an apostrophe ends a word, as in French, and is written as ' whichever it is

    >>> words("Don't stop--go on...")
    ["Don't", 'stop', '--', 'go', 'on', '...']
    >>> words("j\u2019ai l'eau", elisions=True)
    ["j'", 'ai', "l'", 'eau']
    """
    found = _WORD.findall(_text("words", text).lower() if lower else _text("words", text))
    if elisions:
        found = [part for token in found for part in _ELIDED.findall(token.replace("\u2019", "'"))]
    if line_end is None:
        return [token for token in found if token != "\n"]
    return [line_end if token == "\n" else token for token in found]


def join_words(tokens: Iterable[str]) -> str:
    """Return readable text of word tokens: marks joined to their words, a new line at "<eos>".

    `words` finds the same tokens in it; the text's own spacing is lost.

    >>> join_words(["(", "Yes", ",", "she", "said", ".", ")"])
    '(Yes, she said.)'
    """
    parts: list[str] = []
    before, quoted = "\n", False
    for token in tokens:
        if token == EOS:
            parts.append("\n")
            before, quoted = "\n", False
            continue
        opens = token in _OPENING or (token == '"' and not quoted)
        closes = token in _CLOSING or (token == '"' and quoted)
        quoted ^= token == '"'
        parts.append(" " if _spaced(before, token, closes) else "")
        parts.append(token)
        elided = len(token) > 1 and token[-1] == "'"
        before = "" if opens or elided else token
    return "".join(parts)


def letter_ids(names: Iterable[str], letters: Sequence[str], what: str) -> list[Ids]:
    """Return each name's letters as indices (T + 2,): 1 is the first of `letters`, 0 an end symbol.

    The end symbol stands before and after each, so that it begins a name too.
    Raises ValueError, beginning with `what`, for no names, and for other letters, with the name's
    number.
    """
    index = {letter: i for i, letter in enumerate(letters, start=1)}
    found = []
    for number, name in enumerate(names, start=1):
        for letter in name:
            if letter not in index:
                raise ValueError(f"{what}, name {number}: no {letter!r} in the model's letters")
        found.append(np.array([0, *(index[letter] for letter in name), 0]))
    if not found:
        raise ValueError(f"{what}: no names in it")
    return found


UNITS: dict[str, tuple[Callable[[str], list[str]], Callable[[Iterable[str]], str]]] = {
    "chars": (characters, "".join),
    "words": (lambda text: words(text, lower=True), join_words),
    "elided words": (lambda text: words(text, lower=True, elisions=True), join_words),
}
"""What a text can consist of: how it is cut, and how it is joined again; words in lower case."""


class Tokenizer:
    """A text as indices and back.

    unit: one of `UNITS`   vocabulary: the tokens that there are
    Raises ValueError for another unit.
    """

    def __init__(self, unit: str, vocabulary: Vocabulary) -> None:
        if unit not in UNITS:
            raise ValueError(f"Tokenizer: unit is {unit!r}, expected one of {sorted(UNITS)}")
        self.unit, self.vocabulary = unit, vocabulary
        self.cut, self.join = UNITS[unit]

    @classmethod
    def build(cls, unit: str, texts: Iterable[str], **options: Any) -> Tokenizer:
        """Tokenizer with the vocabulary of these texts.

        options: as `Vocabulary.build` takes them
        """
        if isinstance(texts, str):
            raise TypeError("Tokenizer.build: texts is one str, expected several")
        tokens = (token for text in texts for token in cls(unit, Vocabulary([])).cut(text))
        return cls(unit, Vocabulary.build(tokens, **options))

    def __len__(self) -> int:
        return len(self.vocabulary)

    def __repr__(self) -> str:
        return f"Tokenizer({self.unit}, {self.vocabulary})"

    def encode(self, text: str, *, sos: bool = False, eos: bool = False) -> Ids:
        """Indices (T,) of a text's tokens, as `Vocabulary.encode` gives them."""
        return self.vocabulary.encode(self.cut(text), sos=sos, eos=eos)

    def encode_passage(self, text: str, what: str) -> Ids:
        """Indices (T,), T at least 2, of a text whose tokens are predicted from those before.

        Raises ValueError, beginning with `what`, for a shorter one.
        """
        ids = self.encode(text)
        if len(ids) < 2:
            raise ValueError(f"{what}: {len(ids)} {self.unit}, expected at least 2")
        return ids

    def encode_prompt(self, text: str, what: str) -> Ids:
        """Indices (T,), T at least 1, of a text all of whose tokens must be known.

        Raises ValueError, beginning with `what`, for unknown tokens and for a text without any.
        """
        tokens = self.cut(text)
        unknown = sorted({token for token in tokens if token not in self.vocabulary})
        if unknown or not tokens:
            fault = f"the model does not know {unknown}" if unknown else "the prompt is empty"
            raise ValueError(f"{what}: {fault}")
        return self.vocabulary.encode(tokens)

    def decode(self, ids: npt.ArrayLike) -> str:
        """The text of indices (T,), with "<unk>" and other specials as they are.

        Raises as `Vocabulary.decode`.
        """
        return self.join(self.vocabulary.decode(ids, skip_specials=False))

    def to_dict(self) -> dict[str, Any]:
        """Return what `from_dict` makes the same tokenizer of, fit for JSON."""
        return {"unit": self.unit, "vocabulary": self.vocabulary.to_dict()}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Tokenizer:
        """Tokenizer that `to_dict` described.  Raises ValueError for anything else."""
        if not isinstance(state, Mapping) or state.keys() != {"unit", "vocabulary"}:
            raise ValueError("Tokenizer: not a description with unit and vocabulary")
        return cls(state["unit"], Vocabulary.from_dict(state["vocabulary"]))


def _spaced(before: str, token: str, closes: bool) -> bool:
    """Whether a space stands before `token`; `before` is empty after an opening mark."""
    if before in ("", "\n") or {before, token} & _DASHES:
        return False
    if before[-1] == token[:1] and token[:1] in ".-":
        return True
    return not (closes or token == "--" or before == "--")


def _text(who: str, text: object) -> str:
    if not isinstance(text, str):
        raise TypeError(f"{who}: text is a {type(text).__name__}, expected a str")
    return text
