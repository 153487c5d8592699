"""Moving digits: a label for every frame (many-to-many), a caption for a clip (one-to-many).

    python examples/video_caption_patterns.py                  generated clips, under a minute
    python examples/video_caption_patterns.py --load MODEL --evaluate CLIPS.npz

A clip shows two digits, one after the other, each moving left, right, up or down over 12 x 12 grey
pixels with noise. Every frame is classified as it comes (which digit is it?), and the last state
starts a decoder that writes the caption: "3 moves left then 7 moves up". Both are trained together.
The figures: share of frames, and of whole captions, that are right.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import tinygrad_seq as tg
from tinygrad_seq import data, nn, ops
from tinygrad_seq.decode import generate
from tinygrad_seq.train import (
    fit,
    load_model,
    model_path,
    parse_options,
    positive,
    program_parser,
    run_program,
    save_model,
)

FONT = (  # 3 x 5 pixels of each digit, row by row
    "111101101101111", "010110010010111", "111001111100111", "111001111001111", "101101111001001",
    "111100111001111", "111100111101111", "111001010010010", "111101111101111", "111101111001111",
)  # fmt: skip
DIGITS = [np.array(list(bits), dtype=np.float32).reshape(5, 3) for bits in FONT]
MOVES = {"left": (0, -1), "right": (0, 1), "up": (-1, 0), "down": (1, 0)}
WORDS = data.Vocabulary(
    [*"0123456789", "moves", *MOVES, "then"], specials=("<pad>", "<sos>", "<eos>")
)
SIZE, FRAMES = 12, 6  # pixels of a side; frames of one digit


class Watcher(nn.Module):
    """Frames x (T, B, 144) -> logits of the digit in each, (T, B, 10), and the state at the end."""

    def __init__(self, hidden):
        self.frames, self.eye = nn.Linear(SIZE * SIZE, hidden), nn.GRU(hidden, hidden)
        self.label = nn.Linear(hidden, 10)
        self.words, self.speech = nn.Embedding(len(WORDS), 32), nn.GRU(32, hidden)
        self.word = nn.Linear(hidden, len(WORDS))

    def forward(self, x):
        """Logits of every frame's digit; the state that a caption starts from."""
        h, state = self.eye(ops.relu(self.frames(x)))
        return self.label(h), state

    def say(self, ids, state):
        """Logits of the next word after each, (S, B, V), and the state."""
        h, state = self.speech(self.words(tg.tensor(ids)), state)
        return self.word(h), state

    def step(self, state, ids):
        """State and logits (B, V) after one more word (B,)."""
        logits, state = self.say(ids[None], state)
        return state, logits[0]


def clip(random):
    """Frames (12, 144), the digit in each (12,), and the caption."""
    frames = np.zeros((2 * FRAMES, SIZE, SIZE), dtype=np.float32)
    digits, moves = random.integers(0, 10, 2), random.choice(list(MOVES), 2)
    for half, (digit, move) in enumerate(zip(digits, moves, strict=True)):
        down, right = MOVES[move]
        low = np.array([max(0, -d * (FRAMES - 1)) for d in (down, right)])
        high = np.array([SIZE - 5, SIZE - 3]) - [max(0, d * (FRAMES - 1)) for d in (down, right)]
        place = random.integers(low, high + 1)
        for t in range(FRAMES):
            row, column = place + np.array([down, right]) * t
            frames[half * FRAMES + t, row : row + 5, column : column + 3] = DIGITS[digit]
    frames += 0.1 * random.standard_normal(frames.shape, dtype=np.float32)
    caption = f"{digits[0]} moves {moves[0]} then {digits[1]} moves {moves[1]}"
    return frames.reshape(2 * FRAMES, -1), np.repeat(digits, FRAMES), caption


def clips(number, seed):
    """Frames (N, 12, 144), digits (N, 12), captions as ids (N, 9) from <sos> to <eos>."""
    made = [clip(np.random.default_rng([seed, i])) for i in range(number)]
    captions = [WORDS.encode(text.split(), sos=True, eos=True) for _, _, text in made]
    return np.array([m[0] for m in made]), np.array([m[1] for m in made]), np.array(captions)


def score(title, model, frames, digits, captions):
    """Shares of frames and captions that are right."""
    model.eval()
    with tg.no_grad():
        logits, state = model(tg.tensor(frames.swapaxes(0, 1).copy()))
    found = logits.to("numpy").numpy().argmax(axis=-1)
    said = generate(model.step, state, captions[:, :1].T, max_length=12, eos=WORDS.eos)
    right_frames = float(np.mean(found == digits.T))
    right_captions = float(
        np.mean([s == list(c[1:-1]) for s, c in zip(said, captions, strict=True)])
    )
    print(f"{title}: frames {right_frames:.3f}, captions {right_captions:.3f}", flush=True)
    return right_frames, right_captions


def make(options):
    """A model trained on generated clips, and saved."""
    frames, digits, captions = clips(options.clips, options.seed)
    held_out = clips(500, options.seed + 10**6)
    model = Watcher(options.hidden)
    print(model)

    def loss(batch, _):
        x, _, rows = batch
        logits, state = model(tg.tensor(x))
        seen = ops.cross_entropy(logits.reshape(-1, 10), tg.tensor(digits[rows].T.reshape(-1)))
        ids = captions[rows].T
        logits, _ = model.say(ids[:-1], state)
        told = ops.cross_entropy(logits.reshape(-1, len(WORDS)), tg.tensor(ids[1:].reshape(-1)))
        return seen + told, None

    batches = data.PaddedBatches(list(frames), options.batch, targets=np.arange(len(frames)))
    fit(model, loss, batches, lambda: -sum(score("validation", model, *held_out)), options)
    score("validation, best", model, *held_out)
    save_model(model_path(options), model, {"hidden": options.hidden})
    return model


def draw(path, model, frames, captions):
    """A picture of one clip, every other frame, with the caption that the model gives it."""
    from matplotlib.figure import Figure

    with tg.no_grad():
        _, state = model(tg.tensor(frames[:, None]))
    said = generate(model.step, state, captions[None, :1], max_length=12, eos=WORDS.eos)
    figure = Figure(figsize=(9, 1.7), layout="constrained")
    for axes, frame in zip(figure.subplots(1, FRAMES), frames[::2], strict=True):
        axes.imshow(frame.reshape(SIZE, SIZE), cmap="gray")
        axes.axis("off")
    figure.suptitle(" ".join(WORDS.decode(said[0])))
    figure.savefig(path)
    print(f"picture: {path}")


def main():
    parser = program_parser(__doc__, "runs/video_caption_patterns")
    add = parser.add_argument
    add("--hidden", type=positive, default=128, help="width of h (default: 128)")
    add("--clips", type=positive, default=4000, help="to train on (default: 4000)")
    add("--batch", type=positive, default=64, help="clips a batch (default: 64)")
    add("--write", help="write 500 clips to this .npz file")
    options = parse_options(parser)
    options.epochs = options.epochs or 8
    model = load_model(options.load, Watcher) if options.load else make(options)
    frames, digits, captions = clips(500, options.seed + 2 * 10**6)
    if options.write:
        np.savez(options.write, frames=frames, digits=digits, captions=captions)
    picture = Path(options.folder) / "clip.png"
    picture.parent.mkdir(parents=True, exist_ok=True)
    draw(picture, model, frames[0], captions[0])
    if options.evaluate:
        with np.load(options.evaluate, allow_pickle=False) as file:
            score(options.evaluate, model, file["frames"], file["digits"], file["captions"])


if __name__ == "__main__":
    run_program(main)
