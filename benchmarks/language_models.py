"""Training whole language models, beside the same models in PyTorch.

python benchmarks/language_models.py --data warandpeace --tokens words      (2 x 200 LSTM, V 10,000)
python benchmarks/language_models.py --data tinyshakespeare --tokens chars  (2 x 256 LSTM)

Words: embedding 200, two layers of 200, the 10,000 commonest words, batch 20, 20 steps, SGD at
rate 1 with the gradient's norm clipped to 5 (Zaremba, Sutskever & Vinyals 2014, "small").
Characters: the sizes of examples/language_model.py, batch 32, 64 steps, Adam, norm clipped to 1.
No dropout, whose masks would differ. Both sides start from the same weights, see the same batches
in the same order, run in processes of their own with --threads threads each, and take turns:
--chunk training steps at a time. Figures are medians over the chunks; ratios the median of the
turns' ratios. An epoch's time is that of a step times the steps; with --epoch a whole one is
trained by both, and both validate. Over words the two losses are equal to 3e-6 for 36 steps, then
part: rate 1 multiplies rounding errors by 1.5 a step (in float64 they differ by 4e-14 at step 40).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

SETTINGS = {
    "words": {"batch": 20, "steps": 20, "embedding": 200, "hidden": 200, "vocabulary": 10_000},
    "chars": {"batch": 32, "steps": 64, "embedding": 64, "hidden": 256, "vocabulary": None},
}
CLIP = {"words": 5.0, "chars": 1.0}
WIDE_INIT = 0.1


def windows(ids, batch, steps):
    """Batches x, y (steps, batch) of parallel streams, in order."""
    from tinygrad_seq.data import TruncatedBPTT

    return list(TruncatedBPTT(ids, batch, steps))


# ---- the two sides -------------------------------------------------------------------------------


def ours(settings, weights, tokens):
    """(train on one batch -> loss, nats of a batch without training) in this package."""
    import tinygrad_seq as tg
    from tinygrad_seq import nn, ops, optim

    size = settings["vocabulary"]
    embedding = nn.Embedding(size, settings["embedding"])
    lstm = nn.LSTM(settings["embedding"], settings["hidden"], 2)
    output = nn.Linear(settings["hidden"], size)
    parts = {"embedding": embedding, "lstm": lstm, "output": output}
    for name, part in parts.items():
        part.load_state_dict(weights[name])
    parameters = [p for part in parts.values() for p in part.parameters()]
    if tokens == "words":
        optimizer = optim.SGD(parameters, lr=1.0)
    else:
        optimizer = optim.Adam(parameters, lr=2e-3)

    def loss_of(x, y, state):
        h, state = lstm(embedding(x), state)
        return ops.cross_entropy(output(h.reshape(-1, h.shape[-1])), y.reshape(-1)), state

    def train(x, y, state):
        optimizer.zero_grad()
        loss, state = loss_of(x, y, state)
        loss.backward()
        optim.clip_grad_norm_(parameters, CLIP[tokens])
        optimizer.step()
        return loss.item(), nn.detached(state)

    def score(x, y, state):
        with tg.no_grad():
            loss, state = loss_of(x, y, state)
        return loss.item(), state

    return train, score


def pytorch(settings, weights, tokens):
    """The same in PyTorch."""
    import torch
    from torch import nn

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    size = settings["vocabulary"]
    embedding = nn.Embedding(size, settings["embedding"])
    lstm = nn.LSTM(settings["embedding"], settings["hidden"], 2)
    output = nn.Linear(settings["hidden"], size)
    parts = {"embedding": embedding, "lstm": lstm, "output": output}
    for name, part in parts.items():
        part.load_state_dict({k: torch.from_numpy(v) for k, v in weights[name].items()})
    parameters = [p for part in parts.values() for p in part.parameters()]
    if tokens == "words":
        optimizer = torch.optim.SGD(parameters, lr=1.0, fused=True)
    else:
        optimizer = torch.optim.Adam(parameters, lr=2e-3, fused=True)

    def loss_of(x, y, state):
        h, state = lstm(embedding(torch.from_numpy(x)), state)
        logits = output(h.reshape(-1, h.shape[-1]))
        return nn.functional.cross_entropy(logits, torch.from_numpy(y).reshape(-1)), state

    def train(x, y, state):
        optimizer.zero_grad()
        loss, state = loss_of(x, y, state)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, CLIP[tokens])
        optimizer.step()
        return loss.item(), tuple(s.detach() for s in state)

    def score(x, y, state):
        with torch.no_grad():
            loss, state = loss_of(x, y, state)
        return loss.item(), state

    return train, score


SIDES = {"tinygrad_seq": ours, "torch": pytorch}


def worker(side, folder, tokens):
    """Answer each line of input: "train N" with seconds, steps and loss; "validate" with nats."""
    settings = json.loads((folder / "settings.json").read_text())
    with np.load(folder / "data.npz") as stored:
        arrays = dict(stored)
    weights: dict[str, dict[str, np.ndarray]] = {}
    for key in arrays:
        part, dot, name = key.partition("/")
        if dot:
            weights.setdefault(part, {})[name] = arrays[key]
    batches = windows(arrays["train"], settings["batch"], settings["steps"])
    held_out = windows(arrays["validation"], settings["batch"], settings["steps"])
    try:
        train, score = SIDES[side](settings, weights, tokens)
    except ImportError as error:
        print(json.dumps({"missing": str(error)}), flush=True)
        return
    print(json.dumps({"batches": len(batches)}), flush=True)
    at, state = 0, None
    for line in sys.stdin:
        command, _, count = line.strip().partition(" ")
        if command == "validate":
            total, tokens_seen, carried = 0.0, 0, None
            for x, y in held_out:
                loss, carried = score(x, y, carried)
                total, tokens_seen = total + loss * y.size, tokens_seen + y.size
            answer = {"nats": total / tokens_seen}
        else:
            chunk = batches[at : at + int(count)]
            start, losses = time.perf_counter(), []
            for x, y in chunk:
                loss, state = train(x, y, state)
                losses.append(loss)
            seconds = time.perf_counter() - start
            at += len(chunk)
            answer = {"seconds": seconds, "steps": len(chunk), "loss": float(np.mean(losses))}
            if at == len(batches):
                at, state = 0, None
        answer["MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(json.dumps(answer), flush=True)


# ---- the comparison ------------------------------------------------------------------------------


def prepare(options, folder):
    """Leave settings, ids and initial weights in the folder; the number of batches of an epoch."""
    import tinygrad_seq as tg
    from tinygrad_seq import data, nn

    settings = dict(SETTINGS[options.tokens])
    corpus = data.load_corpus(options.data)
    split = data.characters if options.tokens == "chars" else data.words
    tokens = split(corpus.train)
    vocabulary = data.Vocabulary.build(tokens, max_size=settings["vocabulary"], specials=("<unk>",))
    settings["vocabulary"] = len(vocabulary)
    tg.manual_seed(options.seed)
    parts = {
        "embedding": nn.Embedding(len(vocabulary), settings["embedding"]),
        "lstm": nn.LSTM(settings["embedding"], settings["hidden"], 2),
        "output": nn.Linear(settings["hidden"], len(vocabulary)),
    }
    arrays = {
        "train": vocabulary.encode(tokens),
        "validation": vocabulary.encode(split(corpus.validation)),
    }
    for name, part in parts.items():
        for key, value in part.state_dict().items():
            if name == "embedding":
                value = value * WIDE_INIT
            arrays[f"{name}/{key}"] = np.asarray(value)
    np.savez(folder / "data.npz", **arrays)
    (folder / "settings.json").write_text(json.dumps(settings))
    print(f"{len(arrays['train']):,} {options.tokens}, vocabulary {len(vocabulary):,}", flush=True)


def start(side, folder, options):
    environment = {**os.environ, "OMP_NUM_THREADS": str(options.threads)}
    arguments = ["--worker", side, "--folder", str(folder), "--tokens", options.tokens]
    return subprocess.Popen(
        [sys.executable, __file__, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )


def ask(process, line):
    process.stdin.write(line + "\n")
    process.stdin.flush()
    return json.loads(process.stdout.readline())


def compare(options, folder):
    """Print both sides' time of a step and of an epoch, losses, memory; perplexities at the end."""
    processes, epoch = {}, 0
    for side in options.sides:
        process = start(side, folder, options)
        about = json.loads(process.stdout.readline())
        if "missing" in about:
            print(f"{side} left out: {about['missing']}")
            continue
        processes[side], epoch = process, about["batches"]
    for process in processes.values():
        ask(process, f"train {options.warm}")  # compiles, and fills the caches
    taken = {side: [] for side in processes}
    losses, memory = {}, {}
    left = epoch - options.warm if options.epoch else options.turns * options.chunk
    while left > 0:
        for side, process in processes.items():
            answer = ask(process, f"train {min(options.chunk, left)}")
            taken[side].append(answer["seconds"] / answer["steps"])
            losses[side], memory[side] = answer["loss"], answer["MB"]
        left -= options.chunk
    for side, times in taken.items():
        low, middle, high = (1e3 * t for t in quartiles(times))
        pairs = zip(times, taken[options.sides[0]], strict=True)
        ratio = statistics.median(t / o for t, o in pairs)
        print(
            f"{side:13s} {middle:.2f} ms a step ({low:.2f}-{high:.2f}), x{ratio:.2f}, "
            f"{1e-3 * middle * epoch:.1f} s an epoch of {epoch}, loss of the last chunk "
            f"{losses[side]:.4f}, {memory[side]} MB",
            flush=True,
        )
    for side, process in processes.items():
        if options.epoch:
            nats = ask(process, "validate")["nats"]
            print(f"{side:13s} validation {nats:.4f} nats, perplexity {np.exp(nats):.3f}")
        process.stdin.close()
        process.wait()


def quartiles(times):
    return statistics.quantiles(times, n=4) if len(times) > 1 else times * 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", help="a text, or a folder with train.txt and val.txt")
    parser.add_argument("--tokens", choices=SETTINGS, default="words")
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--chunk", type=int, default=20, help="steps of a turn")
    parser.add_argument("--warm", type=int, default=5, help="steps before the first turn")
    parser.add_argument("--epoch", action="store_true", help="train a whole epoch, and validate")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options.worker, options.folder, options.tokens)
        return
    with tempfile.TemporaryDirectory() as folder:
        prepare(options, Path(folder))
        compare(options, Path(folder))


if __name__ == "__main__":
    main()
