"""Moving digits: a label for every frame (many-to-many), a caption for a clip (one-to-many).

    python examples/video_caption_patterns.py                  generated clips, under a minute
    python examples/video_caption_patterns.py --epochs 30      both figures above 95 %
    python examples/video_caption_patterns.py --load MODEL --evaluate CLIPS.npz

A clip shows two digits, one after the other, each moving left, right, up or down over 12 x 12 grey
pixels with noise. Every frame is classified as it comes (which digit is it?), and a decoder writes
the caption, "3 moves left then 7 moves up", attending to the frames. Both are trained together, on
clips that are made as they are needed.
The figures: share of frames, and of whole captions, that are right.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import tinygrad_seq as tg
from tinygrad_seq import data, nn, ops, train
from tinygrad_seq.decode import generate

FONT = (  # 3 x 5 pixels of each digit, row by row
    "111101101101111", "010110010010111", "111001111100111", "111001111001111", "101101111001001",
    "111100111001111", "111100111101111", "111001010010010", "111101111101111", "111101111001111",
)  # fmt: skip
DIGITS = np.array([list(bits) for bits in FONT], dtype=np.float32).reshape(10, 5, 3)
MOVES = {"left": (0, -1), "right": (0, 1), "up": (-1, 0), "down": (1, 0)}
WORDS = data.Vocabulary(
    [*"0123456789", "moves", *MOVES, "then"], specials=("<pad>", "<sos>", "<eos>")
)
SIZE, FRAMES = 12, 6  # pixels of a side; frames of one digit


class Watcher(nn.Module):
    """Frames x (T, B, 144) -> logits of the digit in each, (T, B, 10), and the caption's start."""

    def __init__(self, hidden):
        eye = nn.Sequential(nn.Linear(SIZE * SIZE, hidden), ops.relu)
        self.watch = nn.Encoder(eye, nn.GRU(hidden, hidden))
        self.label = nn.Linear(hidden, 10)
        look = nn.GeneralAttention(hidden, hidden)
        self.speak = nn.Decoder(nn.Embedding(len(WORDS), 32), nn.GRU(32, hidden), len(WORDS), look)

    def forward(self, x):
        """Logits of every frame's digit; the state that a caption starts from."""
        h, (last,) = self.watch(x)
        state = nn.DecoderState((last[:, None],), self.speak.attention.memory(h))
        return self.label(h), state


def clips(random, number):
    """Frames (N, 12, 144), digits (N, 12), captions as ids (N, 9) from <sos> to <eos>."""
    frames = 0.1 * random.standard_normal((number, 2 * FRAMES, SIZE, SIZE), dtype=np.float32)
    digits, moves = random.integers(0, 10, (number, 2)), random.choice(list(MOVES), (number, 2))
    for n in range(number):
        for half, (digit, move) in enumerate(zip(digits[n], moves[n], strict=True)):
            step = np.array(MOVES[move])
            low = np.maximum(0, -step * (FRAMES - 1))
            high = np.array([SIZE - 5, SIZE - 3]) - np.maximum(0, step * (FRAMES - 1))
            place = random.integers(low, high + 1)
            for t in range(half * FRAMES, (half + 1) * FRAMES):
                row, column = place
                frames[n, t, row : row + 5, column : column + 3] += DIGITS[digit]
                place = place + step
    captions = [
        WORDS.encode(f"{a} moves {go} then {b} moves {on}".split(), sos=True, eos=True)
        for (a, b), (go, on) in zip(digits, moves, strict=True)
    ]
    return frames.reshape(number, 2 * FRAMES, -1), digits.repeat(FRAMES, 1), np.array(captions)


def total_loss(model, frames, digits, captions):
    """Cross-entropy of the frames' digits and of the captions' words."""
    logits, state = model(tg.tensor(frames.swapaxes(0, 1).copy()))
    seen = nn.sequence_cross_entropy(logits, digits.T)
    logits, _, _ = model.speak(tg.tensor(captions.T[:-1]), state)
    return seen + nn.sequence_cross_entropy(logits, captions.T[1:])


def caption(model, frames):
    """The model's caption of each clip, and the digit that it sees in each frame."""
    with tg.no_grad():
        logits, state = model(tg.tensor(frames.swapaxes(0, 1).copy()))
        start = np.full((1, len(frames)), WORDS.sos)
        said = generate(model.speak.step, state, start, max_length=12, eos=WORDS.eos)
    return said, logits.to("numpy").numpy().argmax(axis=-1).T


def score(title, model, frames, digits, captions):
    """Shares of frames and captions that are right."""
    model.eval()
    said, found = caption(model, frames)
    right_frames = train.metrics.accuracy(found, digits)
    pairs = zip(said, captions.tolist(), strict=True)
    right_captions = float(np.mean([words == wanted[1:-1] for words, wanted in pairs]))
    print(f"{title}: frames {right_frames:.3f}, captions {right_captions:.3f}", flush=True)
    return right_frames, right_captions


def make(options, held_out):
    """A model trained on generated clips, and saved."""
    model = Watcher(options.hidden)
    print(model)
    batches = data.GeneratedBatches(
        lambda random, _: clips(random, options.batch), options.batches, options.seed
    )
    train.fit(model, lambda batch, _: (total_loss(model, *batch), None), batches,
              lambda: -sum(score("validation", model, *held_out)), options)  # fmt: skip
    score("validation, best", model, *held_out)
    train.save_model(train.model_path(options), model, {"hidden": options.hidden})
    return model


def draw(path, model, frames):
    """A picture of one clip, every other frame, with the caption that the model gives it."""
    ((words,), _) = caption(model, frames[None])
    with train.picture(path, (9, 1.7), columns=FRAMES) as columns:
        for axes, frame in zip(columns, frames[::2], strict=True):
            axes.imshow(frame.reshape(SIZE, SIZE), cmap="gray")
            axes.axis("off")
        axes.figure.suptitle(" ".join(WORDS.decode(words)))


def main():
    parser = train.program_parser(
        __doc__, "runs/video_caption_patterns", epochs=8, hidden=128, batch=64
    )
    add = parser.add_argument
    add("--batches", type=train.positive, default=100, help="an epoch (default: 100)")
    add("--write", help="write 500 clips to this .npz file")
    options = train.parse_options(parser, "write")
    if options.data:
        parser.error("--data: clips are made as needed; --evaluate takes others")
    held_out = clips(np.random.default_rng(options.seed + 10**6), 500)
    if options.write:
        frames, digits, captions = held_out
        data.synthetic.write_arrays(options.write, frames=frames, digits=digits, captions=captions)
    model = train.load_model(options.load, Watcher) if options.load else make(options, held_out)
    draw(Path(options.folder) / "clip.png", model, held_out[0][0])
    if options.evaluate:
        shapes = {"frames": ("N", "T", SIZE * SIZE), "digits": ("N", "T"), "captions": ("N", "S")}
        classes = {"digits": 10, "captions": len(WORDS)}
        score(options.evaluate, model,
              *data.synthetic.read_arrays(options.evaluate, shapes, classes))  # fmt: skip


if __name__ == "__main__":
    train.run_program(main)
