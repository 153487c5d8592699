"""Vocabulary: tokens numbered from 0, the special ones first; the words of some sentences."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ..engine import checks
from ..serialize import PathLike, check_readable, replacing
from .batches.padding import pad_sequences

Ids: TypeAlias = npt.NDArray[np.int64]

PAD, UNK, SOS, EOS = SPECIALS = ("<pad>", "<unk>", "<sos>", "<eos>")
_FORMAT = "tinygrad_seq.vocabulary.1"


class Vocabulary:
    """Tokens and their indices, fixed once made.

    tokens: the ordinary tokens in order of index;  specials: the tokens before them
    `pad`, `unk`, `sos`, `eos` are the indices of "<pad>", "<unk>", "<sos>", "<eos>", or None for
    one that is not among the specials.
    Raises TypeError for tokens that are not str, ValueError for one that stands twice.
    """

    def __init__(self, tokens: Iterable[str], *, specials: Iterable[str] = SPECIALS) -> None:
        self.specials: tuple[str, ...] = _token_tuple("Vocabulary: specials", specials)
        ordinary = _token_tuple("Vocabulary: tokens", tokens)
        self.tokens: tuple[str, ...] = self.specials + ordinary
        self._index = {token: index for index, token in enumerate(self.tokens)}
        if len(self._index) != len(self.tokens):
            twice = [token for token, count in Counter(self.tokens).items() if count > 1]
            raise ValueError(f"Vocabulary: tokens that stand twice: {twice[:5]}")
        at = {token: self._index[token] for token in self.specials}
        self.pad, self.unk = at.get(PAD), at.get(UNK)
        self.sos, self.eos = at.get(SOS), at.get(EOS)

    @classmethod
    def build(
        cls,
        tokens: Iterable[str],
        *,
        min_count: int = 1,
        max_size: int | None = None,
        specials: Iterable[str] = SPECIALS,
    ) -> Vocabulary:
        """Vocabulary of a text's tokens, the commonest first, equal counts in order of code point.

        min_count: how often a token must occur;  max_size: of the whole, specials included
        A token of the text that equals a special is that special.
        Raises TypeError, ValueError for bad tokens, counts and sizes.
        """
        first = _token_tuple("Vocabulary.build: specials", specials)
        least = checks.integer("Vocabulary.build: min_count", min_count, 1)
        room = None
        if max_size is not None:
            room = checks.integer("Vocabulary.build: max_size", max_size, len(first)) - len(first)
        counts = Counter(_without_str("Vocabulary.build: tokens", tokens))
        _token_tuple("Vocabulary.build: tokens", counts)
        for special in first:
            counts.pop(special, None)
        kept = [token for token, count in counts.items() if count >= least]
        kept.sort(key=lambda token: (-counts[token], token))
        return cls(kept[:room], specials=first)

    def __len__(self) -> int:
        return len(self.tokens)

    def __contains__(self, token: object) -> bool:
        return isinstance(token, str) and token in self._index

    def __iter__(self) -> Iterator[str]:
        return iter(self.tokens)

    def __getitem__(self, token: str) -> int:
        return self.index(token)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Vocabulary):
            return NotImplemented
        return (self.tokens, self.specials) == (other.tokens, other.specials)

    def __hash__(self) -> int:
        return hash((self.tokens, self.specials))

    def __repr__(self) -> str:
        return f"Vocabulary({len(self)} tokens, specials={self.specials})"

    def index(self, token: str) -> int:
        """Index of a token, that of "<unk>" for an unknown one.

        Raises KeyError for an unknown token where the vocabulary has no "<unk>".
        """
        if not isinstance(token, str):
            raise TypeError(f"Vocabulary: token {token!r} is a {type(token).__name__}, not a str")
        found = self._index.get(token, self.unk)
        if found is None:
            raise KeyError(f"Vocabulary: unknown token {token!r}, and there is no {UNK!r}")
        return found

    def encode(self, tokens: Iterable[str], *, sos: bool = False, eos: bool = False) -> Ids:
        """Return indices (T,) int64 of tokens, with "<sos>" before and "<eos>" after where asked.

        Raises KeyError for an unknown token where there is no "<unk>", TypeError for tokens that
        are not str, ValueError for a "<sos>" or "<eos>" that the vocabulary lacks.
        """
        known = self._index
        inner = [
            known[token] if token in known else self.index(token)
            for token in _without_str("Vocabulary.encode: tokens", tokens)
        ]
        before = [self._special(SOS, self.sos)] if sos else []
        after = [self._special(EOS, self.eos)] if eos else []
        return np.array(before + inner + after, dtype=np.int64)

    def decode(self, ids: npt.ArrayLike, *, skip_specials: bool = True) -> list[str]:
        """Tokens of indices (T,), without the special ones unless asked to keep them.

        Raises IndexError for an index outside 0 ... len-1, TypeError, ValueError for other arrays.
        """
        array = np.asarray(ids)
        if array.ndim != 1:
            raise ValueError(f"Vocabulary.decode: ids have shape {array.shape}, expected (T,)")
        if array.size and array.dtype.kind not in "iu":
            raise TypeError(f"Vocabulary.decode: ids have dtype {array.dtype}, expected integers")
        size, skipped = len(self.tokens), len(self.specials) if skip_specials else 0
        chosen = array.tolist()
        for index in chosen:
            if not 0 <= index < size:
                raise IndexError(f"Vocabulary.decode: index {index}, expected 0 to {size - 1}")
        return [self.tokens[index] for index in chosen if index >= skipped]

    def to_dict(self) -> dict[str, Any]:
        """Return what `from_dict` makes the same vocabulary of: lists and text, fit for JSON."""
        ordinary = self.tokens[len(self.specials) :]
        return {"format": _FORMAT, "specials": list(self.specials), "tokens": list(ordinary)}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Vocabulary:
        """Vocabulary that `to_dict` described.  Raises ValueError for anything else."""
        if not isinstance(state, Mapping) or state.get("format") != _FORMAT:
            raise ValueError(f"Vocabulary: not a description with format {_FORMAT!r}")
        parts = [state.get("tokens"), state.get("specials")]
        if not all(isinstance(part, list | tuple) for part in parts):
            raise ValueError("Vocabulary: tokens and specials must both be lists")
        try:
            return cls(parts[0] or (), specials=parts[1] or ())
        except TypeError as error:
            raise ValueError(str(error)) from error

    def save(self, path: PathLike) -> None:
        """Write the vocabulary as JSON; a failure leaves an older file as it was."""
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(self.to_dict(), indent=0), encoding="ascii")

    @classmethod
    def load(cls, path: PathLike) -> Vocabulary:
        """Vocabulary that `save` wrote.  Raises FileNotFoundError, ValueError for a damaged one."""
        check_readable(path)
        try:
            with open(path, encoding="utf-8") as file:
                return cls.from_dict(json.load(file))
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{os.fspath(path)}: not a saved vocabulary: {error}") from error

    def _special(self, token: str, index: int | None) -> int:
        if index is None:
            raise ValueError(f"Vocabulary.encode: there is no {token!r} among the specials")
        return index


class Lexicon:
    """The different words of some sentences, numbered, with their letters.

    words, letters: vocabularies;  words are looked up in lower case, letters as they stand
    sentences: as many of (T,), each word's number;  known (N,): each number's index among `words`
    Raises ValueError where there is no sentence, none has a word, or a word has no letter.
    """

    def __init__(
        self, sentences: Sequence[Sequence[str]], words: Vocabulary, letters: Vocabulary
    ) -> None:
        different = list(dict.fromkeys(word for sentence in sentences for word in sentence))
        if not different or "" in different:
            raise ValueError("Lexicon: sentences have an empty word, or none")
        number = {word: i for i, word in enumerate(different)}
        self.sentences = [np.array([number[w] for w in s], dtype=np.int64) for s in sentences]
        self.known = words.encode([word.lower() for word in different])
        self._letters, self._sizes = pad_sequences(
            [letters.encode(list(word)) for word in different]
        )

    def spelt(self, words: Ids, multiple: int = 64) -> tuple[Ids, Ids, Ids]:
        """Letters (L, N), how many each of N words has (N,), and which of the N each number is.

        words (...): numbers, each of which is among the N once;  the last one repeated, until N is
        a multiple of `multiple`: few shapes, each compiled once
        """
        present, places = np.unique(words, return_inverse=True)
        present = np.pad(present, (0, -len(present) % multiple), "edge")
        sizes = self._sizes[present]
        return self._letters[: sizes.max(), present], sizes, places.reshape(words.shape)


def _without_str(what: str, tokens: Iterable[str]) -> Iterable[str]:
    if isinstance(tokens, str):
        raise TypeError(f"{what} is one str; split it with words() or characters()")
    return tokens


def _token_tuple(what: str, tokens: Iterable[str]) -> tuple[str, ...]:
    listed = tuple(_without_str(what, tokens))
    for token in listed:
        if not isinstance(token, str):
            raise TypeError(f"{what} hold {token!r}, a {type(token).__name__}, expected str")
    return listed
