"""The thread that does the work of services."""

from __future__ import annotations

import threading

from scaffold.engine.tasks.worker import Worker

# For what takes milliseconds.
SECONDS = 60


def test_ticks_come_while_there_is_always_work() -> None:
    ticks, ticked, stopped = [0], threading.Event(), threading.Event()

    def tick() -> None:
        ticks[0] += 1
        if ticks[0] == 3:
            ticked.set()

    worker = Worker("test", tick, 0.01, lambda: not stopped.is_set())

    def work() -> None:
        if not stopped.is_set():
            worker.put(work)

    worker.put(work)
    worker.start()
    try:
        assert ticked.wait(SECONDS)
    finally:
        stopped.set()


def test_an_idle_worker_does_its_work_without_ticks() -> None:
    ticked, order, done, busy = threading.Event(), [], threading.Event(), threading.Event()
    worker = Worker("test", ticked.set, 0.001, busy.is_set)
    worker.start()
    for number in range(100):
        worker.put(lambda number=number: order.append(number))  # type: ignore[misc]
    worker.put(done.set)
    assert done.wait(SECONDS)
    assert order == list(range(100))
    assert not ticked.is_set()
    busy.set()
    worker.wake()
    assert ticked.wait(SECONDS)
    busy.clear()


def test_a_failing_event_ends_no_other() -> None:
    done = threading.Event()
    worker = Worker("test", lambda: None, 60, lambda: False)
    worker.put(lambda: [][0])
    worker.put(done.set)
    worker.start()
    assert done.wait(SECONDS)
