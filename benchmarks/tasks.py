"""Training the lecture's larger examples, beside the same models in PyTorch.

python benchmarks/tasks.py tagger ud_ewt_pos           (examples/tagger.py, its default sizes)
python benchmarks/tasks.py translate tatoeba_eng_fra   (examples/translate.py, likewise)
python benchmarks/tasks.py ctc 200,32,11,7             (ctc_loss alone: T, B, V, S at most)

Without dropout, whose masks would differ. Both sides start from the same weights, see the same
batches in the same order, run in processes of their own with --threads threads each, and take
turns: --chunk training steps at a time. Figures are medians over the turns, the ratio the median of
the turns' ratios. PyTorch packs its padded sequences, and its AdamW is the fused one.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

EXAMPLES = Path(__file__).parents[1] / "examples"
RATES = {"tagger": 4e-3, "translate": 2e-3}


def tagger(folder):
    """The example's model, its batches, and the loss of one: as examples/tagger.py has them."""
    import tagger as example

    from tinygrad_seq import data

    sentences = data.read_tagged(data.part_of(folder, "train.tsv"))
    words, tags = (
        set(itertools.chain(*column)) for column in list(zip(*sentences, strict=True))[:2]
    )
    sizes = {"embedding": 100, "hidden": 128, "dropout": 0.0}
    known = sorted({word.lower() for word in words})
    model = example.Tagger(known, sorted(set("".join(words))), sorted(tags), False, **sizes)
    batches, lexicon = example.batches_of(model, sentences, 16)

    def loss(batch):
        words, lengths, tags = batch
        return model.loss(model(words, lengths, lexicon), tags, lengths)

    return model, batches, loss, lexicon


def translate(folder):
    """The example's model, its batches, and the loss of one: as examples/translate.py has them."""
    import translate as example

    from tinygrad_seq import data

    pairs = data.read_pairs(data.part_of(folder, "train.tsv"), data.words)
    columns = zip(*pairs, strict=True)
    tokenizers = [data.Tokenizer.build("elided words", c, min_count=2).to_dict() for c in columns]
    sizes = {"embedding": 256, "hidden": 256, "dropout": 0.0}
    model = example.Translator(*tokenizers, **sizes, attention=True)

    def loss(batch):
        total, count = model.loss(batch)
        return total / float(count)

    return model, example.batches_of(model, pairs, 64), loss, None


# ---- the two sides -------------------------------------------------------------------------------


def ours(task, model, loss_of, lexicon):
    """A function that trains on one batch, and returns the loss."""
    from tinygrad_seq import optim

    parameters = list(model.parameters())
    optimizer = optim.AdamW(parameters, lr=RATES[task], weight_decay=0.01)

    def step(batch):
        optimizer.zero_grad()
        loss = loss_of(batch)
        loss.backward()
        optim.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        return loss.item()

    return step


def pytorch(task, model, loss_of, lexicon):
    """The same in PyTorch."""
    import torch

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    theirs = mirrored(model)
    theirs.load_state_dict({k: torch.from_numpy(v) for k, v in model.state_dict().items()})
    parameters = list(theirs.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=RATES[task], weight_decay=0.01, fused=True)
    loss_of = {"tagger": tagger_loss, "translate": translator_loss}[task]

    def step(batch):
        optimizer.zero_grad()
        loss = loss_of(theirs, batch, lexicon)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        return loss.item()

    return step


def mirrored(module):
    """PyTorch's modules in the places of the package's; those of other kinds only hold others."""
    import torch

    from tinygrad_seq import nn

    if isinstance(module, nn.Embedding):
        return torch.nn.Embedding(*module.weight.shape)
    if isinstance(module, nn.Linear):
        outputs, inputs = module.weight.shape
        return torch.nn.Linear(inputs, outputs, bias=module.bias is not None)
    if isinstance(module, nn.LSTM):
        return torch.nn.LSTM(
            module.input_size, module.hidden_size, bidirectional=module.bidirectional
        )
    holder = torch.nn.Module()
    for name, part in vars(module).items():
        if isinstance(part, nn.Module):
            holder.add_module(name, mirrored(part))
        elif isinstance(part, list) and part and isinstance(part[0], nn.Module):
            holder.add_module(name, torch.nn.ModuleList(map(mirrored, part)))
    return holder


def read(rnn, x, lengths):
    """Outputs (T, B, 2H) and final states, each both directions' side by side: (B, 2H)."""
    import torch
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

    packed = pack_padded_sequence(x, torch.from_numpy(lengths), enforce_sorted=False)
    outputs, state = rnn(packed)
    return pad_packed_sequence(outputs)[0], [torch.cat([s[0], s[1]], dim=-1) for s in state]


def tagger_loss(model, batch, lexicon):
    """The tagger's forward pass, as examples/tagger.py writes it."""
    import torch

    words, lengths, tags = batch
    present, places = np.unique(words, return_inverse=True)
    sizes = lexicon.sizes[present]
    letters = torch.from_numpy(lexicon.letters[: sizes.max(), present])
    _, (ends, _) = read(model.spelling.rnn, model.spelling.embedding(letters), sizes)
    spellings = ends[torch.from_numpy(places.reshape(words.shape))]
    known = model.embedding(torch.from_numpy(lexicon.known[words]))
    h, _ = read(model.recurrent, torch.cat([known, spellings], dim=-1), lengths)
    scores = model.output(h)
    targets = torch.from_numpy(tags.reshape(-1))
    return torch.nn.functional.cross_entropy(scores.reshape(-1, scores.shape[-1]), targets)


def translator_loss(model, batch, _):
    """The translator's forward pass: Encoder, Seq2Seq.start, GeneralAttention, Decoder."""
    import torch

    source, lengths, targets, _ = batch
    encoder, decoder = model.model.encoder, model.model.decoder
    keys, final = read(encoder.rnn, encoder.embedding(torch.from_numpy(source)), lengths)
    state = [
        torch.tanh(bridge(s))[None] for bridge, s in zip(model.model.bridges, final, strict=True)
    ]
    h, _ = decoder.rnn(decoder.embedding(torch.from_numpy(targets[:-1])), tuple(state))
    keys = keys.transpose(0, 1)  # (B, T, 2H)
    projected = decoder.attention.key(keys) * keys.shape[-1] ** -0.5
    scores = h.transpose(0, 1) @ projected.transpose(1, 2)  # (B, S, T)
    beyond = torch.arange(len(source)) >= torch.from_numpy(lengths)[:, None]
    weights = torch.softmax(scores.masked_fill(beyond[:, None], -1e30), dim=-1)
    context = (weights @ keys).transpose(0, 1)
    logits = decoder.output(torch.tanh(decoder.combine(torch.cat([context, h], dim=-1))))
    following = torch.from_numpy(targets[1:].reshape(-1))
    flat = logits.reshape(-1, logits.shape[-1])
    return torch.nn.functional.cross_entropy(flat, following, ignore_index=0)


def ctc(side, shape):
    """A function that runs ctc_loss forwards and backwards, from log-probabilities on."""
    import torch

    import tinygrad_seq as tg
    from tinygrad_seq import ops

    T, B, V, S = map(int, shape.split(","))
    random = np.random.default_rng(0)
    logits = torch.from_numpy(random.normal(size=(T, B, V)).astype(np.float32))
    data = torch.log_softmax(logits, dim=-1).numpy()
    targets = random.integers(1, V, (B, S))
    frames, symbols = random.integers(3 * T // 4, T + 1, B), random.integers(S // 2, S + 1, B)
    if side == "tinygrad_seq":
        x, loss_of = tg.tensor(data, requires_grad=True), ops.ctc_loss
        rest = [targets, frames, symbols]
    else:
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
        x, loss_of = torch.from_numpy(data).requires_grad_(), torch.nn.functional.ctc_loss
        rest = [torch.from_numpy(a) for a in (targets, frames, symbols)]

    def step(_):
        x.grad = None
        loss = loss_of(x, *rest)
        loss.backward()
        return loss.item()

    return step


TASKS = {"tagger": tagger, "translate": translate, "ctc": ctc}
SIDES = {"tinygrad_seq": ours, "torch": pytorch}


def worker(side, options):
    """Answer each number of input, of steps to train, with seconds a step, loss and memory."""
    import tinygrad_seq as tg

    sys.path.insert(0, str(EXAMPLES))
    tg.manual_seed(0)
    if options.task == "ctc":
        step, batches = ctc(side, options.data), range(10**6)
    else:
        model, batches, loss, lexicon = TASKS[options.task](options.data)
        step = SIDES[side](options.task, model, loss, lexicon)
    stream = iter(batches)
    print(json.dumps({"steps": len(batches)}), flush=True)
    for line in sys.stdin:
        chunk = list(itertools.islice(stream, int(line)))
        start = time.perf_counter()
        losses = [step(batch) for batch in chunk]
        answer = {"seconds": (time.perf_counter() - start) / len(chunk), "loss": losses[-1]}
        answer["MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(json.dumps(answer), flush=True)


def compare(options):
    """Print both sides' time of a step and of an epoch, how they compare, last losses, memory."""
    threads = {"OMP_NUM_THREADS": str(options.threads)}
    processes = {
        side: subprocess.Popen(
            [sys.executable, __file__, options.task, options.data, "--worker", side],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | threads,
        )
        for side in SIDES
    }  # fmt: skip
    epoch = {
        side: json.loads(process.stdout.readline())["steps"] for side, process in processes.items()
    }
    answers = {side: [] for side in SIDES}
    for steps in [options.warm, *[options.chunk] * options.turns]:
        for side, process in processes.items():
            print(steps, file=process.stdin, flush=True)
            answers[side].append(json.loads(process.stdout.readline()))
    for side, process in processes.items():
        taken = [answer["seconds"] for answer in answers[side][1:]]
        first = [answer["seconds"] for answer in answers["tinygrad_seq"][1:]]
        ratio = statistics.median(t / o for t, o in zip(taken, first, strict=True))
        low, middle, high = (1e3 * t for t in np.quantile(taken, (0.25, 0.5, 0.75)))
        last = answers[side][-1]
        print(f"{side:13s} {middle:.2f} ms a step ({low:.2f}-{high:.2f}), x{ratio:.2f}, "
              f"{middle * epoch[side] / 1e3:.0f} s an epoch of {epoch[side]}, losses "
              f"{answers[side][0]['loss']:.5f} {last['loss']:.5f}, {last['MB']} MB")  # fmt: skip
        process.communicate()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("data", help="a folder with the example's data, or sizes")
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--chunk", type=int, default=10, help="steps of a turn")
    parser.add_argument("--warm", type=int, default=10, help="steps before the first turn")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--worker", choices=SIDES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options.worker, options)
    else:
        compare(options)


if __name__ == "__main__":
    main()
