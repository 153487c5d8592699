"""Modules: objects that own parameters. Inside they use only ops."""

from . import init
from .cells import Cell, GRUCell, LSTMCell, RNNCell
from .containers import ModuleList, Sequential
from .embedding import Embedding
from .linear import Linear
from .module import Module, Parameter
from .outputs import (
    NCE,
    FullSoftmax,
    HierarchicalSoftmax,
    HuffmanTree,
    LogUniformSampler,
    NegativeSampling,
    OutputLayer,
    SampledSoftmax,
    Sampler,
    UnigramSampler,
)
from .recurrent import (
    Bidirectional,
    Recurrent,
    Stack,
    detached,
    max_and_mean,
    sequence_cross_entropy,
)
from .regularisation import Dropout, LayerNorm
from .rnn import GRU, LSTM, RNN
from .structured import (
    CRF,
    GE2E,
    AdditiveAttention,
    Attention,
    Decoder,
    DecoderState,
    DotAttention,
    Encoder,
    GeneralAttention,
    Memory,
    Seq2Seq,
    scheduled_sampling,
)
from .word2vec import CBOW, SkipGram

__all__ = [
    "CBOW",
    "CRF",
    "GE2E",
    "GRU",
    "LSTM",
    "NCE",
    "RNN",
    "AdditiveAttention",
    "Attention",
    "Bidirectional",
    "Cell",
    "Decoder",
    "DecoderState",
    "DotAttention",
    "Dropout",
    "Embedding",
    "Encoder",
    "FullSoftmax",
    "GRUCell",
    "GeneralAttention",
    "HierarchicalSoftmax",
    "HuffmanTree",
    "LSTMCell",
    "LayerNorm",
    "Linear",
    "LogUniformSampler",
    "Memory",
    "Module",
    "ModuleList",
    "NegativeSampling",
    "OutputLayer",
    "Parameter",
    "RNNCell",
    "Recurrent",
    "SampledSoftmax",
    "Sampler",
    "Seq2Seq",
    "Sequential",
    "SkipGram",
    "Stack",
    "UnigramSampler",
    "detached",
    "init",
    "max_and_mean",
    "scheduled_sampling",
    "sequence_cross_entropy",
]
