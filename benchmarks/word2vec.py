"""Word vectors beside gensim's: words a second, time to encode, and accuracy after some epochs.

python benchmarks/word2vec.py speed FOLDER --threads 1 2 --rounds 3
python benchmarks/word2vec.py encode FOLDER --rounds 3
python benchmarks/word2vec.py start FOLDER
python benchmarks/word2vec.py accuracy FOLDER --seeds 1 2 3 --cases skipgram cbow

FOLDER holds enwiki_150k_lines.txt.gz (a line is a sentence), questions-words.txt, wordsim353.tsv
and simlex999.txt. d 100, window 5 shrunk, 5 negatives, sample 1e-3, min_count 5.

speed: one epoch, the training call only (gensim: `train` on lists in memory; ours: `fit` on ids,
making the vectors included), words of the raw text a second; peers take turns within a round;
medians, and the median of the rounds' ratios. With one thread, seconds are the processor's, which a
busy machine disturbs less.
accuracy: WS-353 and SimLex-999 Spearman, share of the Google analogies, of `epochs` epochs with one
thread each; --peers leaves one out, so that both can run side by side.
"""

from __future__ import annotations

import argparse
import functools
import gzip
import itertools
import json
import pathlib
import statistics
import subprocess
import sys
import time

CORPUS = "enwiki_150k_lines.txt.gz"
CASES = {
    "skipgram": ({}, {"sg": 1}),
    "skipgram, own negatives": ({"shared_negatives": False}, {"sg": 1}),
    "skipgram, deterministic": ({"deterministic": True}, {"sg": 1}),
    "cbow": ({"architecture": "cbow"}, {"sg": 0}),
    "cbow, sum": ({"architecture": "cbow", "combine": "sum"}, {"sg": 0, "cbow_mean": 0}),
    "cbow, exact": ({"architecture": "cbow", "exact_gradient": True}, {"sg": 0}),
}


def text(folder, lines):
    with gzip.open(pathlib.Path(folder) / CORPUS, "rt", encoding="utf-8") as file:
        return [line.split() for line in itertools.islice(file, lines)]


def ours(case, threads, epochs, seed, **settings):
    from tinygrad_seq.word2vec import Word2Vec

    chosen = CASES[case][0] | settings
    return Word2Vec(workers=threads, epochs=epochs, seed=seed, progress=False, **chosen)


def gensim(case, threads, epochs, seed, **settings):
    from gensim.models import Word2Vec

    chosen = {"window": 5, "negative": 5, "vector_size": 100} | CASES[case][1] | settings
    return Word2Vec(workers=threads, epochs=epochs, seed=seed, min_count=5, sample=1e-3, **chosen)


def timed(function, clock=time.perf_counter):
    start = clock()
    function()
    return clock() - start


def speed(options):
    lines = text(options.folder, options.lines)
    words = sum(map(len, lines))
    ours("skipgram", 1, 1, 1).fit(lines[:2000])  # compiled
    encoded = ours("skipgram", 1, 1, 1).encode(lines)
    print(f"{words} words")
    for case, threads in itertools.product(options.cases, options.threads):
        mine, theirs = [], []
        clock = time.process_time if threads == 1 else time.perf_counter
        for _ in range(options.rounds):
            mine.append(timed(functools.partial(ours(case, threads, 1, 1).fit, encoded), clock))
            if "gensim" in options.peers:
                model = gensim(case, threads, 1, 1)
                model.build_vocab(lines)
                arguments = {"total_examples": model.corpus_count, "epochs": 1}
                theirs.append(timed(functools.partial(model.train, lines, **arguments), clock))
        line = f"{case}, {threads} threads: {words / statistics.median(mine) / 1e3:.0f} k words/s"
        if theirs:
            ratio = statistics.median(b / a for a, b in zip(mine, theirs, strict=True))
            other = words / statistics.median(theirs) / 1e3
            line += f", gensim {other:.0f} k, {ratio:.1f} times as fast"
        print(line, flush=True)


def encode(options):
    from gensim.models.word2vec import LineSentence

    path = pathlib.Path(options.folder) / CORPUS
    lines = text(options.folder, None)
    ours("skipgram", 1, 1, 1).encode(path)  # compiled
    for _ in range(options.rounds):
        times = [
            timed(lambda: ours("skipgram", 1, 1, 1).encode(path)),
            timed(lambda: ours("skipgram", 1, 1, 1).encode(lines)),
        ]
        model = gensim("skipgram", 1, 1, 1)
        times.append(timed(functools.partial(model.build_vocab, lines)))
        model = gensim("skipgram", 1, 1, 1)
        times.append(timed(functools.partial(model.build_vocab, LineSentence(str(path)))))
        names = ("ours, file", "ours, lists", "gensim build_vocab, lists", "gensim, file")
        print(", ".join(f"{n} {t:.2f} s" for n, t in zip(names, times, strict=True)), flush=True)


FIRST = """
import time
import numba
start, cpu = time.perf_counter(), time.process_time()
import sys
sys.path.insert(0, {path!r})
from tinygrad_seq.word2vec import Word2Vec
from tinygrad_seq.data import tokens
import io
Word2Vec(vector_size=10, min_count=1, epochs=1, workers=1, progress=False).fit(io.BytesIO(b"a b c"))
used = time.process_time() - cpu
print(f"{{time.perf_counter() - start:.2f}} s, of the processor {{used:.2f}} s")
"""


def start(options):
    """The first use on a machine, and in a second process: import, compile, train on a line."""
    import os
    import tempfile

    path = str(pathlib.Path(__file__).resolve().parent.parent)
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "TINYGRAD_SEQ_CACHE": folder}
        for which in ("first", "second", "third"):
            program = [sys.executable, "-c", FIRST.format(path=path)]
            out = subprocess.run(program, env=environment, capture_output=True, check=True)
            print(which, "process:", out.stdout.decode().strip(), flush=True)


def accuracy(options):
    from tinygrad_seq.word2vec import WordVectors

    lines = text(options.folder, options.lines)
    folder = pathlib.Path(options.folder)
    settings = {} if options.alpha is None else {"alpha": options.alpha}
    for case, seed, peer in itertools.product(options.cases, options.seeds, options.peers):
        begun = time.process_time()
        if peer == "ours":
            model = ours(case, options.threads[0], options.epochs, seed, **settings)
            vectors = model.fit(lines).vectors
        else:
            own = {"alpha": 0.05} if case.startswith("cbow") else {}  # word2vec.c's
            model = gensim(case, options.threads[0], options.epochs, seed, **own | settings)
            model.build_vocab(lines)
            model.train(lines, total_examples=model.corpus_count, epochs=options.epochs)
            vectors = WordVectors(model.wv.index_to_key, model.wv.vectors)
        seconds = time.process_time() - begun
        result = {"case": case, "seed": seed, "peer": peer, "cpu seconds": round(seconds)}
        result["ws353"] = round(vectors.evaluate_word_pairs(folder / "wordsim353.tsv")[1][0], 4)
        result["simlex"] = round(vectors.evaluate_word_pairs(folder / "simlex999.txt")[1][0], 4)
        result["analogies"] = round(
            vectors.evaluate_word_analogies(folder / "questions-words.txt")[0], 4
        )
        print(json.dumps(result | settings), flush=True)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["speed", "encode", "start", "accuracy"])
    parser.add_argument("folder")
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--lines", type=int)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=["skipgram", "cbow"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--alpha", type=float)
    parser.add_argument(
        "--peers", nargs="+", choices=["ours", "gensim"], default=["ours", "gensim"]
    )
    options = parser.parse_args()
    globals()[options.what](options)


if __name__ == "__main__":
    main()
