"""The scanner of `tokens.py`, compiled by Numba: the words of UTF-8 text as numbers."""

import numpy as np
from numba import njit

SPACE, TOKEN, UNFINISHED, INVALID = 0, 1, 2, 3
"""What stands at a byte: white space, a part of a token, a sequence that goes on, no UTF-8."""


@njit
def is_space(c):
    """Whether str.split splits at the character c, beyond ASCII."""
    if c < 0x2000:
        return c == 0x85 or c == 0xA0 or c == 0x1680
    return c <= 0x200A or c == 0x2028 or c == 0x2029 or c == 0x202F or c == 0x205F or c == 0x3000


@njit
def sequence(buffer, p, end):
    """What stands at p, a byte beyond ASCII, and how many bytes belong to it."""
    first = np.int64(buffer[p])
    if first < 0xC2 or first > 0xF4:
        return INVALID, 1
    length = 2 if first < 0xE0 else 3 if first < 0xF0 else 4
    code = first & (0xFF >> (length + 1))
    for i in range(1, length):
        if p + i == end:
            return UNFINISHED, i
        byte = np.int64(buffer[p + i])
        if byte & 0xC0 != 0x80:
            return INVALID, 1
        code = (code << 6) | (byte & 0x3F)
    shortest = 0x80 if length == 2 else 0x800 if length == 3 else 0x10000
    if code < shortest or code > 0x10FFFF or (0xD800 <= code <= 0xDFFF):
        return INVALID, 1
    return (SPACE if is_space(code) else TOKEN), length


@njit
def find(buffer, start, end, tag, slots, starts, text, count):
    """The word's number, and how many words there are now."""
    mask = len(slots) - 1
    slot = tag & mask
    length = end - start
    while slots[slot] != 0:
        if slots[slot] >> 32 == tag:
            word = (slots[slot] & 0xFFFFFFFF) - 1
            begin = starts[word]
            same = starts[word + 1] - begin == length
            if same:
                for i in range(length):
                    same &= text[begin + i] == buffer[start + i]
            if same:
                return word, count
        slot = (slot + 1) & mask
    slots[slot] = (tag << 32) | (count + 1)
    begin = starts[count]
    for i in range(length):
        text[begin + i] = buffer[start + i]
    starts[count + 1] = begin + length
    return count, count + 1


@njit(nogil=True, cache=True)
def scan(buffer, p, size, ended, slots, starts, text, count, ids, ends):
    """Where the first unfinished token starts, counts of words, tokens, sentences, lines; sound.

    buffer[p:size]: text, to its end if `ended`   slots, starts, text, count: the words so far
    ids, ends: filled with the tokens' numbers, and how many there are before each sentence's end
    sound: whether it is UTF-8; if not, the place is that of the first byte that is not
    """
    tokens, sentences, lines, last = 0, 0, 0, 0
    start, value = p, np.uint64(0)
    while True:
        kind, length = SPACE, 1
        byte = np.uint8(0)
        if p < size:
            byte = buffer[p]
            if byte > 0x7F:
                kind, length = sequence(buffer, p, size)
                if kind == INVALID or (kind == UNFINISHED and ended):
                    return p, count, tokens, sentences, lines, False
            elif byte > 0x20 or (byte < 0x1C and (byte < 9 or byte > 13)):
                kind = TOKEN
        if kind == TOKEN:
            for i in range(length):
                value = (value ^ np.uint64(buffer[p + i])) * np.uint64(0x9E3779B97F4A7C15)
                value ^= value >> np.uint64(32)
            p += length
            continue
        if kind == UNFINISHED or (p == size and not ended):
            return start, count, tokens, sentences, lines, True
        if p > start:
            tag = np.int64(value >> np.uint64(33))
            ids[tokens], count = find(buffer, start, p, tag, slots, starts, text, count)
            tokens += 1
        if (p == size or byte == 10) and tokens > last:
            ends[sentences] = last = tokens
            sentences += 1
        if p == size:
            return size, count, tokens, sentences, lines, True
        lines += byte == 10
        p += length
        start, value = p, np.uint64(0)


@njit(nogil=True, cache=True)
def move(slots, larger):
    """Nothing; puts the words of one table into a larger one."""
    mask = len(larger) - 1
    for i in range(len(slots)):
        if slots[i] != 0:
            slot = (slots[i] >> 32) & mask
            while larger[slot] != 0:
                slot = (slot + 1) & mask
            larger[slot] = slots[i]
