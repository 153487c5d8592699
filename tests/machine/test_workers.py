"""Kernels' threads: chunks, threads of Python, forks, how many there are."""

import os
import threading
import time

import numpy as np
import pytest
from machine_jobs import COUNT, counted, in_process, needs_numba

from tinygrad_seq.machine import native, runtime, workers


@needs_numba
@pytest.mark.parametrize("n", [1, 2, 7])
def test_every_chunk_runs_once(n):
    assert counted(n, 5) == [5.0] * n


@needs_numba
def test_functions_wait_for_each_other():
    """pack, then steps, then finish: each sees what all chunks of the one before have written."""
    source = '''\
from numba import cfunc, njit
from tinygrad_seq.machine.addresses import get_f8, put_f8, word

@njit
def add_up(source, n, target):
    """target = sum over all of source, + 1."""
    total = 1.0
    for i in range(n):
        total += get_f8(source + 8 * i)
    put_f8(target, total)

@cfunc("void(int64,int64,int64,int64)", cache=True)
def there(k, table, n, pool):
    add_up(word(table, 0), n, word(table, 1) + 8 * k)

@cfunc("void(int64,int64,int64,int64)", cache=True)
def back(k, table, n, pool):
    add_up(word(table, 1), n, word(table, 0) + 8 * k)
'''
    module = runtime.load(source)
    there, back = module.there.address, module.back.address
    a, b = np.ones(2), np.zeros(2)
    job = runtime.Job((there, back, there), 2, [0] * 4, [], [0, 1, 2, 3], packs=2)
    for i in range(20):
        a[:] = i
        job.run([a, b] * 2)
        first = 2 * i + 1
        assert a.tolist() == [2 * first + 1] * 2
        assert b.tolist() == [2 * (2 * first + 1) + 1] * 2


@needs_numba
def test_threads_of_python_may_run_kernels_at_once():
    results = []

    def work():
        results.append(counted(4, 300))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [[300.0] * 4] * 4


@needs_numba
def test_threads_of_python_may_train_and_step_at_once():
    program = """
    import threading
    import numpy as np, tinygrad_seq as tg
    from tinygrad_seq import nn
    tg.set_num_threads(2)
    layer = nn.GRU(8, 300, generator=tg.Generator(0))
    xs = np.random.default_rng(0).standard_normal((6, 4, 8), dtype=np.float32)
    found = []

    def work():
        for _ in range(20):
            x = tg.Tensor(xs, requires_grad=True)
            layer(x)[0].sum().backward()
            with tg.no_grad():
                y = layer(tg.Tensor(xs[:1, :1]))[0]
            found.append((x.grad.array.tobytes(), y.array.tobytes()))

    threads = [threading.Thread(target=work) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    print(len(found), len(set(found)))
    """
    assert in_process(program) == "80 1"


@needs_numba
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_forked_child_has_threads_of_its_own():
    program = f"""
    import os, numpy as np
    from tinygrad_seq.machine import runtime, workers

    def count():
        out = np.zeros(4)
        runtime.Job((0, runtime.load({COUNT!r}).count.address, 0), 4, [0], [], [0]).run([out])
        return out.tolist() == [1.0] * 4

    workers.most = lambda: 3
    assert count() and workers.pool.threads == 2
    child = os.fork()
    if child == 0:
        assert workers.pool.threads == 0
        os._exit(0 if count() and count() and workers.pool.threads == 2 else 1)
    assert os.waitpid(child, 0)[1] == 0 and count()
    print("both")
    """
    assert in_process(program) == "both"


MEET = '''\
def meet(k, table, n, pool):
    """Waits until all chunks have begun; table: where they are counted."""
    count(word(table, 0), 0, 1)
    while fetch(word(table, 0), 0) < n:
        pause()
'''


@needs_numba
def test_chunks_run_at_once(monkeypatch):
    """Each waits for the others: threads that slept are woken, and more are started when wanted."""
    monkeypatch.setattr(workers, "most", lambda: 4)
    meet = native.load(MEET)["meet"]
    for n in (2, 4, 3):
        counts = [np.zeros(1, np.int64) for _ in range(2)]
        runtime.Job((meet, meet, 0), n, [0, 0], [], [0, 1], packs=1).run(counts)
        assert counts == [n, n]
        time.sleep(0.1)


@needs_numba
def test_chunks_are_done_though_no_thread_comes(monkeypatch):
    monkeypatch.setattr(workers, "pool", workers.Pool())
    monkeypatch.setattr(workers.Pool, "_serve", lambda self: None)
    assert counted(5, 20) == [20.0] * 5


@needs_numba
def test_interrupted_thread_leaves_the_pool_to_others():
    """At every instruction of Python before, between and after kernels, a signal may raise."""
    program = f"""
    import sys, numpy as np
    from tinygrad_seq.machine import native, runtime, workers
    workers.most = lambda: 2
    meet = native.load({MEET!r})["meet"]

    def run():
        runtime.Job((0, meet, 0), 2, [0], [], [0]).run([np.zeros(1, np.int64)])

    def trace(frame, event, argument):
        global left
        if frame.f_globals["__name__"] not in (runtime.__name__, workers.__name__):
            return None
        if frame.f_code is workers.Pool._serve.__code__:
            return None
        frame.f_trace_opcodes = True
        left -= 1
        if left == 0:
            raise KeyboardInterrupt
        return trace

    run()
    events, interrupted = 0, True
    while interrupted:
        if events % 10 == 0:
            workers.pool = workers.Pool()  # its start is interrupted too
        events += 1
        left, interrupted = events, False
        sys.settrace(trace)
        try:
            run()
        except KeyboardInterrupt:
            interrupted = True
        sys.settrace(None)
        assert workers.pool.words is None or not workers.pool.words[workers.BUSY]
        run()
    print(events > 50)
    """
    assert in_process(program) == "True"


@needs_numba
def test_one_processor_starts_no_threads(monkeypatch):
    monkeypatch.setattr(workers, "pool", workers.Pool())
    monkeypatch.setattr(workers, "most", lambda: 1)
    assert counted(5, 3) == [3.0] * 5
    assert workers.pool.threads == 0


def test_number_of_threads(monkeypatch):
    monkeypatch.setattr(runtime, "_chosen", None)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert runtime.get_num_threads() == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    assert 1 <= runtime.get_num_threads() <= os.cpu_count()
    runtime.set_num_threads(5)
    assert runtime.get_num_threads() == 5
    for wrong, error in ((0, ValueError), (-1, ValueError), (1.5, TypeError), (True, TypeError)):
        with pytest.raises(error, match="set_num_threads: n is"):
            runtime.set_num_threads(wrong)
