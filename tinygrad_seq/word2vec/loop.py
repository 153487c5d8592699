"""The hot loop of word vectors: compiled by Numba with NEGATIVE filled in.

`definition.py` says what it computes. Its own business is the order of memory: kept words go
through a buffer, a buffer's negatives are drawn first, the next target's rows are asked for early.
"""

import numpy as np
from numba import njit

from tinygrad_seq.machine.addresses import put_f4, word
from tinygrad_seq.word2vec import kernels, steps
from tinygrad_seq.word2vec.walk import (
    HALF,
    LOW,
    OTHER,
    STEP,
    U,
    addresses,
    at,
    before,
    draw,
    fill,
    gather,
    mix,
)

NEGATIVE = 5
ROWS = NEGATIVE + 1
WIDTH = kernels.padded(ROWS)
TILE = kernels.TILE
TILES = WIDTH // TILE
GROUP = kernels.together(min(ROWS, TILE))

logits_1, logits_2, logits_4 = (kernels.logits(min(ROWS, TILE), n) for n in (1, 2, 4))
errors, loss, update = kernels.errors(ROWS), kernels.loss(ROWS), kernels.update(ROWS)
step, step_average = steps.step(min(ROWS, TILE)), steps.step_average(min(ROWS, TILE))
average, update_average = steps.average(), steps.update_average(ROWS)
prefetch = kernels.prefetch()

SKIPGRAM, PAIRS, CBOW = 0, 1, 2
AHEAD = 2  # pairs with negatives of their own whose rows are asked for before their turn
LOG_2 = np.log(2.0)


@njit
def negatives(counter, table, row, own, base, size, sampler, spare):
    """The counter; afterwards table[row] holds the target's own row and distinct others."""
    chance, alias = sampler
    words = U(len(chance))
    table[row, 0] = own
    missing = 0
    for j in range(1, ROWS):
        found = spare
        for _ in range(16):
            counter += STEP
            address = base + draw(mix(counter), words, chance, alias) * size
            again = False
            for i in range(j):
                again |= table[row, i] == address
            if not again:
                found = address
                break
        missing += found == spare
        table[row, j] = found
    return counter, missing


@njit
def all_logits(contexts, count, outputs, end, x):
    """Nothing; afterwards x holds the logits of all contexts with all outputs."""
    i = 0
    if TILES > 1:
        for i in range(count):
            for tile in range(TILES):
                place = x + 4 * (i * WIDTH + tile * TILE)
                logits_1(contexts + 8 * i, outputs + 8 * TILE * tile, end, place)
        return
    if GROUP == 4:
        while i + 4 <= count:
            logits_4(contexts + 8 * i, outputs, end, x + 4 * TILE * i)
            i += 4
    if GROUP >= 2:
        while i + 2 <= count:
            logits_2(contexts + 8 * i, outputs, end, x + 4 * TILE * i)
            i += 2
    while i < count:
        logits_1(contexts + 8 * i, outputs, end, x + 4 * TILE * i)
        i += 1


@njit
def all_errors(contexts, count, outputs, end, x, alpha, measure, missing, spare):
    """The loss of all contexts with all outputs; afterwards x holds the errors."""
    all_logits(contexts, count, outputs, end, x)
    value = loss(x, count) if measure else 0.0
    errors(x, count, alpha)
    if missing > 0:
        value -= LOG_2 * missing * count
        for j in range(ROWS):
            if word(outputs, j) == spare:
                for i in range(count):
                    put_f4(x + 4 * (i * WIDTH + j), np.float32(0))
    return value


@njit
def skipgram(contexts, count, outputs, end, x, alpha, measure, missing, spare):
    """The loss before one step of all contexts on one set of outputs."""
    value = all_errors(contexts, count, outputs, end, x, alpha, measure, missing, spare)
    update(contexts, count, outputs, end, x)
    return value


@njit
def cbow(contexts, count, outputs, end, x, alpha, measure, missing, spare, mean, scales):
    """The loss before one step of the contexts' sum or mean on one set of outputs."""
    one, h = np.int64(1), spare + end
    inverse = np.float32(1.0) / np.float32(count)
    average(contexts, count, end, inverse if scales[0] else np.float32(1.0), h)
    scale = inverse if scales[1] else np.float32(1.0)
    if ROWS <= TILE and missing == 0 and not measure:
        step_average(contexts, count, outputs, end, h, alpha, scale)
        return 0.0
    value = all_errors(mean, one, outputs, end, x, alpha, measure, missing, spare)
    update_average(contexts, count, outputs, end, x, h, scale)
    return value


@njit(nogil=True, cache=True)
def train(
    ids, starts, keep, sampler, inputs, outputs, sentence, first, last, rate, window, shrink, seed,
    measured, architecture, scales, scratch,
):  # fmt: skip
    """Loss and number of pairs measured, of the targets at positions first to last.

    sentence: in which `first` stands   scratch: as `epoch._scratch` makes it
    """
    end = inputs.shape[1] * 4
    base = (inputs.ctypes.data, outputs.ctypes.data)
    positions, rows, context = scratch[:3]
    span = len(context) // 2
    total, pairs = 0.0, 0
    p = first
    while p < last:
        while starts[sentence + 1] <= p:
            sentence += 1
        stop = min(last, starts[sentence + 1])
        n = before(ids, keep, seed, starts[sentence], p, span, positions)
        addresses(ids, base, end, 0, n, positions, rows)
        target = n
        while True:
            old = n
            p, n = fill(ids, keep, seed, p, stop, len(positions), positions, n)
            complete = max(target, n - span)
            if p == stop:
                complete = n
                after = starts[sentence + 1]
                _, n = fill(ids, keep, seed, p, after, span, positions, n)
            addresses(ids, base, end, old, n, positions, rows)
            part, number = train_buffer(
                ids, sampler, base, end, target, complete, n, rate, window, shrink, seed, measured,
                architecture, scales, scratch,
            )  # fmt: skip
            total += part
            pairs += number
            if p == stop:
                break
            cut = complete - span
            n -= cut
            for i in range(n):
                positions[i], rows[i] = positions[cut + i], rows[cut + i]
            target = span
    return total, pairs


@njit
def ask_for(targets, t, end):
    """Nothing; asks for a target's output rows to be in the cache soon."""
    for j in range(ROWS):
        prefetch(targets[t, j], end)


@njit
def draw_pairs(counter, own, count, sampler, base, end, targets, missing, spare):
    """Nothing; draws the negatives of `count` pairs of one target, and asks for the first rows."""
    for i in range(count):
        counter, missing[i] = negatives(counter, targets, i, own, base[1], end, sampler, spare)
        if i < AHEAD:
            ask_for(targets, i, end)


@njit
def train_buffer(
    ids, sampler, base, end, target, complete, n, rate, window, shrink, seed, measured,
    architecture, scales, scratch,
):  # fmt: skip
    """Loss and pairs of the targets from `target` to `complete` in the buffer."""
    positions, rows, context, targets, missing, logits, pair, place = scratch
    contexts, outputs, x = context.ctypes.data, targets.ctypes.data, logits.ctypes.data
    spare = pair.ctypes.data
    place[0] = spare + end  # CBOW's h
    mean = place.ctypes.data
    total, pairs, one = 0.0, 0, np.int64(1)
    if architecture != PAIRS:
        for t in range(target, complete):
            counter = mix(at(seed, positions[t]) ^ OTHER)
            own = base[1] + np.int64(ids[positions[t]]) * end
            _, missing[t] = negatives(counter, targets, t, own, base[1], end, sampler, spare)
        if target < complete:
            ask_for(targets, target, end)
    for i in range(max(0, target - len(context) // 2), min(n, target + window)):
        prefetch(rows[i], end)
    for t in range(target, complete):
        if architecture != PAIRS and t + 1 < complete:
            ask_for(targets, t + 1, end)
        if t + window + 1 < n:
            prefetch(rows[t + window + 1], end)
        r = at(seed, positions[t])
        reach = 1 + np.int64(((r & LOW) * U(window)) >> HALF) if shrink else window
        count = gather(t, reach, n, rows, context)
        if count == 0:
            continue
        alpha = np.float32(rate[0] + rate[1] * (positions[t] - rate[2]))
        counter = mix(r ^ OTHER)
        measure = (counter & measured) == U(0)
        part = 0.0
        if architecture == PAIRS:
            own = base[1] + np.int64(ids[positions[t]]) * end
            draw_pairs(counter, own, count, sampler, base, end, targets, missing, spare)
            for i in range(count):
                if i + AHEAD < count:
                    ask_for(targets, i + AHEAD, end)
                here, lost = outputs + i * (8 * WIDTH), missing[i]
                if ROWS <= TILE and lost == 0 and not measure:
                    step(context[i], here, end, alpha)
                    continue
                one_context = contexts + 8 * i
                part += skipgram(one_context, one, here, end, x, alpha, measure, lost, spare)
        else:
            here, lost = outputs + t * (8 * WIDTH), missing[t]
            if architecture == SKIPGRAM:
                part = skipgram(contexts, count, here, end, x, alpha, measure, lost, spare)
            else:
                part = cbow(
                    contexts, count, here, end, x, alpha, measure, lost, spare, mean, scales
                )
        if measure:
            total += part
            pairs += 1 if architecture == CBOW else count
    return total, pairs


@njit(nogil=True, cache=True)
def merge(base, copies, scale, low, high):
    """Nothing; as `definition.merge`, for rows low to high."""
    width = base.shape[1]
    total = np.empty(width, np.float32)
    for row in range(low, high):
        for c in range(width):
            total[c] = np.float32(0)
        for k in range(len(copies)):
            for c in range(width):
                total[c] += copies[k, row, c] - base[row, c]
        for c in range(width):
            base[row, c] += scale[row] * total[c]
        for k in range(len(copies)):
            for c in range(width):
                copies[k, row, c] = base[row, c]
