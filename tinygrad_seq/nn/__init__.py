"""Modules: objects that own parameters. Inside they use only ops."""

from . import init
from .cells import Cell, GRUCell, LSTMCell, RNNCell
from .containers import ModuleList, Sequential
from .embedding import Embedding
from .linear import Linear
from .module import Module, Parameter
from .recurrent import Bidirectional, Recurrent, Stack, detached
from .regularisation import Dropout, LayerNorm
from .rnn import GRU, LSTM, RNN

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Bidirectional",
    "Cell",
    "Dropout",
    "Embedding",
    "GRUCell",
    "LSTMCell",
    "LayerNorm",
    "Linear",
    "Module",
    "ModuleList",
    "Parameter",
    "RNNCell",
    "Recurrent",
    "Sequential",
    "Stack",
    "detached",
    "init",
]
