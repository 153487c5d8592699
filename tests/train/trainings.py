"""Small trainings that the tests of the trainer share, and what their whole state is."""

import numpy as np

import tinygrad_seq as tg
from tinygrad_seq import nn, ops, optim
from tinygrad_seq.data import PaddedBatches, TruncatedBPTT
from tinygrad_seq.train import Trainer

V, H = 11, 8
TEXT = np.random.default_rng(3).permutation(np.arange(150) % 5 * 2)


class TiedModel(nn.Module):
    """A language model with every part that has a state: layers, dropout, one tied matrix."""

    def __init__(self, cell=nn.LSTM, layers=2):
        self.embedding = nn.Embedding(V, H)
        self.recurrent = cell(H, H, layers, dropout=0.2)
        self.dropout = nn.Dropout(0.2)
        self.output = nn.Linear(H, V)
        self.output.weight = self.embedding.weight

    def forward(self, ids, state=None):
        ids = tg.tensor(ids).to(self.output.weight.backend)
        h, state = self.recurrent(self.dropout(self.embedding(ids)), state)
        return self.output(self.dropout(h)), state


class Classifier(nn.Module):
    """The final state of a GRU over padded sequences, to one of three classes."""

    def __init__(self):
        self.embedding = nn.Embedding(V, H, padding_idx=0, sparse=True)
        self.recurrent = nn.GRU(H, H)
        self.dropout = nn.Dropout(0.2, generator=tg.Generator(5))
        self.output = nn.Linear(H, 3)

    def forward(self, ids, lengths):
        ids = tg.tensor(ids).to(self.output.weight.backend)
        _, final = self.recurrent(self.embedding(ids), lengths=lengths)
        return self.output(self.dropout(final[0]))


def cross_entropy(logits, targets):
    targets = tg.tensor(targets.reshape(-1)).to(logits.backend)
    return ops.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets)


def language_training(folder=None, seed=0, *, cell=nn.LSTM, layers=2, loss=None, **options):
    """Truncated BPTT over TEXT with a carried state; by default all that can be saved is there."""
    tg.manual_seed(seed)
    model = TiedModel(cell, layers)
    optimizer = optim.Adam(model.parameters(), lr=0.02)
    batches = TruncatedBPTT(TEXT[:120], 4, 5)  # 6 batches an epoch

    def teacher_forcing(batch, state):
        logits, state = model(batch[0], state)
        return cross_entropy(logits, batch[1]), nn.detached(state)

    def validate():
        return cross_entropy(model(TEXT[120:-1, None])[0], TEXT[121:, None]).item()

    return Trainer(
        model,
        optimizer,
        loss(teacher_forcing) if loss else teacher_forcing,
        batches,
        **{
            "validate": validate,
            "batch_schedule": optim.WarmupCosine(optimizer, 4, 30),
            "clip": 1.0,
            "folder": folder,
            "progress": False,
            **options,
        },
    )


def classifier_training(folder=None, seed=0, *, loss=None, **options):
    """Shuffled padded batches, sparse gradients, plateau, momentum, a generator of its own."""
    tg.manual_seed(seed)
    random = np.random.default_rng(1)
    model = Classifier()
    optimizer = optim.SGD(model.parameters(), lr=0.3, momentum=0.9)
    lengths = random.integers(0, 9, 22)
    sequences = [random.integers(1, V, n) for n in lengths]
    batches = PaddedBatches(sequences, 4, targets=lengths % 3, seed=2, bucket=2)

    def classify(batch, _):
        ids, lengths, classes = batch
        return cross_entropy(model(ids, lengths), classes), None

    return Trainer(
        model,
        optimizer,
        loss(classify) if loss else classify,
        batches,
        **{
            "validate": lambda: 1.0,  # never better: the plateau's rate falls
            "schedule": optim.ReduceLROnPlateau(optimizer, factor=0.5, patience=0),
            "generators": {"dropout": model.dropout.generator},
            "folder": folder,
            "progress": False,
            **options,
        },
    )


class Stop(Exception):  # noqa: N818
    """What a training is stopped by, wherever it is."""


def stopping(after, then=Stop):
    """A wrapper of losses that raises at the call after so many."""

    def wrap(loss):
        calls = 0

        def stopped(batch, carry):
            nonlocal calls
            calls += 1
            if calls > after:
                raise then
            return loss(batch, carry)

        return stopped

    return wrap


def bits_of(tree):
    """A tree with each array as dtype, shape and bytes, to be compared bit for bit."""
    if isinstance(tree, dict):
        return {name: bits_of(value) for name, value in tree.items() if name != "seconds"}
    if isinstance(tree, list | tuple):
        return [bits_of(value) for value in tree]
    if hasattr(tree, "dtype"):
        return tree.dtype.name, tree.shape, tree.tobytes()
    return tree


def state_in(folder):
    """The bits of a folder's checkpoint, without the seconds that training took."""
    tree = tg.load_checkpoint(folder / "checkpoint.safetensors")
    tree["progress"].pop()
    return bits_of(tree)


def state_of(trainer):
    """The bits of everything that training goes on from: model, optimiser, rates, place, ..."""
    parts = [trainer.model, trainer.optimizer, trainer.batches, *trainer.generators.values()]
    parts += [part for part in (trainer.schedule, trainer.batch_schedule) if part is not None]
    states = [bits_of(part.state_dict()) for part in parts]
    return [*states, trainer.step, trainer.count, trainer.total, bits_of(trainer.history.rows)]
