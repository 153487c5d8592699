"""A job that counts its chunks, and programs in processes of their own."""

import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from tinygrad_seq.machine import runtime

needs_numba = pytest.mark.skipif(not runtime.available(), reason="nothing is compiled")

COUNT = '''\
"""Adds 1 to out[k]; table: its address."""
from numba import cfunc
from tinygrad_seq.machine.addresses import get_f8, put_f8, word

@cfunc("void(int64,int64,int64,int64)", cache=True)
def count(k, table, n, pool):
    out = word(table, 0) + 8 * k
    put_f8(out, get_f8(out) + 1)
'''


def counted(n, times=1):
    """What n chunks leave after some runs."""
    out = np.zeros(n)
    job = runtime.Job((0, runtime.load(COUNT).count.address, 0), n, [0], [], [0])
    for _ in range(times):
        job.run([out])
    return out.tolist()


def in_process(program, *, code=0, wait=True, **environment):
    """Run a program in a process of its own; what it prints."""
    child = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program)],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    if not wait:
        return child
    out, error = child.communicate(timeout=100)
    assert child.returncode == code, error
    return out.strip()
