"""Using word vectors, beside gensim: the Google analogies, and reading and writing files.

python benchmarks/word_vectors.py --data CORPUS              (trains gensim on it for an epoch)
python benchmarks/word_vectors.py --vectors FILE --rounds 3  (a binary word2vec file)

CORPUS is a text of one sentence a line, plain or gzip. Both packages answer on the same vectors,
taking turns; figures are medians over the rounds, with the extremes. That they give the same
figure, question by question, is checked.
"""

from __future__ import annotations

import argparse
import gzip
import os
import statistics
import tempfile
import time
from itertools import islice

from tinygrad_seq.word2vec import WordVectors


def trained(path, lines, workers):
    """gensim's vectors of a corpus."""
    from gensim.models import Word2Vec

    opened = gzip.open if path.endswith(".gz") else open
    with opened(path, "rt", encoding="utf-8") as file:
        sentences = [line.split() for line in islice(file, lines)]
    model = Word2Vec(sentences, vector_size=100, sg=1, epochs=1, workers=workers, seed=1)
    return model.wv


def compare(what, ours, theirs, rounds):
    """Print the times of two functions called in turn; return what they returned last."""
    times, results = ([], []), [None, None]
    for _ in range(rounds):
        for which, function in enumerate((ours, theirs)):
            start = time.perf_counter()
            results[which] = function()
            times[which].append(time.perf_counter() - start)
    middle = [statistics.median(taken) for taken in times]
    ranges = [f"{m:.3f} s ({min(t):.3f}-{max(t):.3f})" for m, t in zip(middle, times, strict=True)]
    ratio = middle[1] / middle[0]
    print(f"{what:28s} {ranges[0]}, gensim {ranges[1]}: {ratio:.1f} times", flush=True)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", help="corpus to train gensim on")
    parser.add_argument("--lines", type=int, default=150_000)
    parser.add_argument("--vectors", help="binary word2vec file, instead of --data")
    parser.add_argument("--questions", help="(default: gensim's questions-words.txt)")
    parser.add_argument("--pairs", help="(default: gensim's wordsim353.tsv)")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    from gensim.models import KeyedVectors
    from gensim.test.utils import datapath

    options.questions = options.questions or datapath("questions-words.txt")
    options.pairs = options.pairs or datapath("wordsim353.tsv")
    if options.vectors:
        kv = KeyedVectors.load_word2vec_format(options.vectors, binary=True)
    else:
        kv = trained(options.data, options.lines, os.cpu_count())
    wv = WordVectors(kv.index_to_key, kv.vectors)
    print(f"{wv}, {os.cpu_count()} cores")
    start = time.perf_counter()
    wv.evaluate_word_analogies(options.questions)
    print(f"first call, kernel compiled or loaded: {time.perf_counter() - start:.2f} s")
    ours, theirs = compare(
        "Google analogies",
        lambda: WordVectors(wv.words, wv.vectors).evaluate_word_analogies(options.questions),
        lambda: kv.evaluate_word_analogies(options.questions),
        options.rounds,
    )
    asked = sum(len(ours[1][-1][kind]) for kind in ("correct", "incorrect"))
    print(f"  {asked} questions, {ours[0]:.6f} and {theirs[0]:.6f}; all equal: {ours == theirs}")
    ours, theirs = (x.evaluate_word_pairs(options.pairs)[1][0] for x in (wv, kv))
    print(f"  Spearman of {os.path.basename(options.pairs)}: {ours:.6f} and {theirs:.6f}")
    with tempfile.TemporaryDirectory() as folder:
        for form, binary in (("binary", True), ("text", False)):
            files = [os.path.join(folder, f"{form}-{n}") for n in (1, 2)]
            compare(
                f"write {form}",
                lambda: wv.save_word2vec_format(files[0], binary=binary),  # noqa: B023
                lambda: kv.save_word2vec_format(files[1], binary=binary),  # noqa: B023
                1,
            )
            compare(
                f"read {form}",
                lambda: WordVectors.load_word2vec_format(files[0], binary=binary),  # noqa: B023
                lambda: KeyedVectors.load_word2vec_format(files[0], binary=binary),  # noqa: B023
                options.rounds,
            )
        native = [os.path.join(folder, f"native-{n}") for n in (1, 2)]
        compare("write native", lambda: wv.save(native[0]), lambda: kv.save(native[1]), 1)
        compare(
            "load native, mapped",
            lambda: WordVectors.load(native[0]),
            lambda: KeyedVectors.load(native[1], mmap="r"),
            options.rounds,
        )


if __name__ == "__main__":
    main()
