"""Vectors of the processor: operations, functions of them, and loops along columns."""
