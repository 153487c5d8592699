"""Output layers: objects that turn hidden states and target classes into a loss."""

from .hierarchical import HierarchicalSoftmax, HuffmanTree
from .layer import FullSoftmax, OutputLayer
from .sampled import NCE, NegativeSampling, SampledSoftmax
from .samplers import LogUniformSampler, Sampler, UnigramSampler

__all__ = [
    "NCE",
    "FullSoftmax",
    "HierarchicalSoftmax",
    "HuffmanTree",
    "LogUniformSampler",
    "NegativeSampling",
    "OutputLayer",
    "SampledSoftmax",
    "Sampler",
    "UnigramSampler",
]
