# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Bounded, ordered concurrency: the three pieces the pipeline is made of."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from queue import Full, Queue
from typing import Any, TypeVar

In = TypeVar('In')
Out = TypeVar('Out')

_END = object()


def ordered_map(
    function: Callable[[In], Out],
    items: Iterable[In],
    pool: Executor,
    ahead: int,
    weight: Callable[[In], int] = lambda item: 0,
    limit: int = 1,
) -> Iterator[Out]:
    """``map`` on a pool: results in input order, at most ``ahead`` items under way.

    Args:
        function: Runs in a thread of the pool.
        items: Taken one by one, as results are consumed.
        pool: A pool of one thread keeps even the execution in order.
        ahead: How many items may be taken before the first result is consumed.
        weight: What an item counts, asked for when it is taken.
        limit: The items under way weigh less than this, or there is only one.
    """
    running: deque[tuple[Future[Out], int]] = deque()
    total = 0
    try:
        for item in items:
            heavy = weight(item)  # before the function may change it
            running.append((pool.submit(function, item), heavy))
            total += heavy
            while running and (len(running) >= ahead or total >= limit or running[0][0].done()):
                future, freed = running.popleft()
                total -= freed
                yield future.result()
        while running:
            yield running.popleft()[0].result()
    finally:
        for future, _ in running:
            future.cancel()


def prefetch(items: Iterable[In], size: int) -> Iterator[In]:
    """Iterate in a thread of its own, at most ``size`` items ahead. Errors come out here.

    The thread ends when the returned iterator is closed or collected.
    """
    queue: Queue[Any] = Queue(maxsize=size)
    stop = threading.Event()

    def put(entry: Any) -> bool:
        while not stop.is_set():
            try:
                queue.put(entry, timeout=0.1)
                return True
            except Full:
                continue
        return False

    def work() -> None:
        iterator = iter(items)
        try:
            for item in iterator:
                if not put((item, None)):
                    break
            else:
                put((_END, None))
        except BaseException as error:
            put((_END, error))
        finally:
            close = getattr(iterator, 'close', None)
            if close is not None:
                close()

    thread = threading.Thread(target=work, name='sapiens-prefetch', daemon=True)
    yield from _received(thread, queue.get, stop)


def newest(items: Iterable[In]) -> Iterator[In]:
    """Iterate in a thread of its own and give the newest item each time; older ones are dropped."""
    last: list[Any] = []
    ready, stop = threading.Condition(), threading.Event()

    def work() -> None:
        ending: Any = (_END, None)
        try:
            for item in items:
                with ready:
                    last[:] = [(item, None)]
                    ready.notify()
                if stop.is_set():
                    return
        except BaseException as error:
            ending = (_END, error)
        with ready:
            last.append(ending)  # after the last item, not in its place
            ready.notify()

    def take() -> tuple[Any, BaseException | None]:
        with ready:
            ready.wait_for(lambda: last)
            return last.pop(0)

    thread = threading.Thread(target=work, name='sapiens-newest', daemon=True)
    yield from _received(thread, take, stop)


def _received(
    thread: threading.Thread,
    take: Callable[[], tuple[Any, BaseException | None]],
    stop: threading.Event,
) -> Iterator[Any]:
    """Start a thread and give the items it hands over; its error comes out here, and ``stop`` ends it."""
    thread.start()
    try:
        while True:
            item, error = take()
            if error is not None:
                raise error
            if item is _END:
                return
            yield item
    finally:
        stop.set()
        thread.join(timeout=5)


def batches(
    items: Iterable[In], size: int, weight: Callable[[In], int] = lambda item: 0, limit: int = 1
) -> Iterator[list[In]]:
    """Lists of ``size`` items, or fewer if their weights reach ``limit``; the last may be shorter."""
    batch: list[In] = []
    total = 0
    for item in items:
        batch.append(item)
        total += weight(item)
        if len(batch) == size or total >= limit:
            yield batch
            batch, total = [], 0
    if batch:
        yield batch


def is_alive(process: int) -> bool:
    """Whether a process of this machine is there."""
    if os.name == 'nt':  # where this would end it
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # another user's
        return True
    return True
