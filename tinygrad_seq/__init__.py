"""Sequence models from scratch: reverse-mode autodiff on NumPy and CuPy arrays.

import tinygrad_seq as tg
from tinygrad_seq import nn, ops, optim
"""

from . import data, decode, nn, ops, optim, testing, train, word2vec
from .compiler.explain import explain
from .compiler.fuse import fuse
from .compiler.scan import scan, unrolled
from .engine.backend import Backend, backend, register_backend, use_backend
from .engine.checkpoint import checkpoint
from .engine.creation import from_dlpack, ones, tensor, zeros
from .engine.gradients import grad
from .engine.modes import detect_anomaly, enable_grad, is_grad_enabled, no_grad
from .engine.random import Generator, default_generator, manual_seed
from .engine.tensor import Tensor
from .machine.runtime import get_num_threads, set_num_threads
from .serialize import load, load_checkpoint, load_metadata, save, save_checkpoint

__version__ = "0.1.0"

__all__ = [
    "Backend",
    "Generator",
    "Tensor",
    "backend",
    "checkpoint",
    "data",
    "decode",
    "default_generator",
    "detect_anomaly",
    "enable_grad",
    "explain",
    "from_dlpack",
    "fuse",
    "get_num_threads",
    "grad",
    "is_grad_enabled",
    "load",
    "load_checkpoint",
    "load_metadata",
    "manual_seed",
    "nn",
    "no_grad",
    "ones",
    "ops",
    "optim",
    "register_backend",
    "save",
    "save_checkpoint",
    "scan",
    "set_num_threads",
    "tensor",
    "testing",
    "train",
    "unrolled",
    "use_backend",
    "word2vec",
    "zeros",
]
