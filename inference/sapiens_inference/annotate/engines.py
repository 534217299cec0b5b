# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Where workers live: processes of this machine, or actors of a Ray cluster."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import Any, Protocol

import torch

from sapiens_inference.tasks import find_task

from .plan import Shard
from .settings import Settings
from .worker import Annotator, work

Answer = dict[str, Any]
"""What :meth:`Annotator.serve` returns."""

PRELOAD = ['sapiens_inference.annotate.worker']
"""Imported once for all processes, like the tasks, so that a worker takes the place of a dead one at once."""


class WorkerDied(Exception):
    """A worker is gone: killed, crashed, or ended because it took too long."""


class Worker(Protocol):
    """A worker as the driver sees it."""

    def start(self) -> Answer:
        """Wait for the models: ``{'ready': process id}``, or ``{'stop': why}``.

        Raises:
            WorkerDied: It ended before it answered.
        """
        ...

    def annotate(self, shard: Shard, timeout: float | None) -> Answer:
        """Label a shard.

        Raises:
            WorkerDied: It ended before it answered, or took more than ``timeout`` seconds and was ended.
        """
        ...

    def close(self) -> None:
        """End the worker, whatever it is doing."""
        ...


@dataclass(frozen=True)
class Engine:
    """How many workers there are, and how one is made.

    Attributes:
        workers: How many run at a time. Each has one shard and gets the next when that is done.
        make: Starts the worker of a place, a number below ``workers``.
    """

    workers: int
    make: Callable[[int], Worker]


def local_engine(options: dict[str, Any], workers: int = 1) -> Engine:
    """Processes of this machine, spread over its GPUs; a crash of one is not a crash of the run.

    Args:
        options: Arguments of :class:`Annotator`.
        workers: Number of processes.
    """
    context = multiprocessing.get_context('forkserver')
    settings: Settings = options['settings']
    tasks = [find_task(name).inferencer for name in settings.weights]
    modules = [name.partition(':')[0] for name in (settings.builder, *tasks)]
    context.set_forkserver_preload([*PRELOAD, *modules])
    gpus = torch.cuda.device_count() if settings.device == 'cuda' else 0

    def make(place: int) -> Worker:
        return _Process(context, {**options, 'gpu': place % gpus if gpus else None})

    return Engine(workers, make)


class _Process:
    def __init__(self, context: Any, options: dict[str, Any]) -> None:
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs, options), daemon=True)
        try:
            self.process.start()
        except (EOFError, OSError) as error:  # killed before it has said its number
            raise WorkerDied('its process did not start') from error
        theirs.close()  # so that its end is seen here

    def start(self) -> Answer:
        return self._answer(None)

    def annotate(self, shard: Shard, timeout: float | None) -> Answer:
        try:
            self.connection.send(shard)
        except OSError as error:
            raise WorkerDied('its process is gone') from error
        return self._answer(timeout)

    def _answer(self, timeout: float | None) -> Answer:
        if not wait([self.connection], timeout):
            self.process.kill()
            raise WorkerDied(f'no answer within {timeout:g} s; ended')
        try:
            return self.connection.recv()
        except (EOFError, OSError) as error:
            self.process.join(10)
            raise WorkerDied(f'its process ended with code {self.process.exitcode}') from error

    def close(self) -> None:
        # Nothing half-written appears under its name, see Storage.atomic_path.
        self.process.kill()
        self.process.join()
        self.connection.close()


def ray_engine(
    options: dict[str, Any],
    workers: int = 1,
    cores: float = 1,
    gpus: float = 0,
    address: str | None = None,
) -> Engine:
    """Actors of a Ray cluster. All machines must have the suite and see the inputs and the output folder.

    Ray places an actor where its cores and GPUs are free; actors that wait for room make a cluster with an
    autoscaler grow, up to ``workers``.

    Args:
        options: Arguments of :class:`Annotator`.
        workers: Most actors at a time.
        cores: CPU cores of each: those of the model and of decoding.
        gpus: GPUs of each; a fraction shares one.
        address: Address of the cluster, as ``ray.init`` takes it; None starts Ray on this machine.

    Raises:
        ImportError: Ray is not installed.
        ValueError: It cannot be started or reached.
    """
    try:
        import ray
    except ImportError as error:
        raise ImportError('the ray engine needs Ray: pip install "ray[data]"') from error
    if not ray.is_initialized():
        cpus = max(1, round(workers * cores))
        here = {} if address else {'num_cpus': cpus, 'include_dashboard': False}
        try:
            ray.init(address=address, log_to_driver=False, **here)
        except Exception as error:  # Ray has no type of its own for it
            raise ValueError(f'Ray does not start: {error}') from error
    # The driver itself replaces what dies: only it knows what an attempt is.
    actor = ray.remote(num_cpus=cores, num_gpus=gpus, max_restarts=0)(RayAnnotator)
    return Engine(workers, lambda _: _Actor(ray, actor.remote(options)))


class RayAnnotator:
    """An :class:`Annotator` in an actor.

    The models are loaded by :meth:`start`, not by the constructor, whose errors Ray reports only at the next call.

    Args:
        options: Arguments of the annotator.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options

    def start(self) -> Answer:
        """Load the models."""
        import os

        try:
            self.annotator = Annotator(**self.options)
        except Exception as error:
            return {'stop': f'{type(error).__name__}: {error}'}
        return {'ready': os.getpid()}

    def annotate(self, shard: Shard) -> Answer:
        """Label a shard."""
        return self.annotator.serve(shard)


class _Actor:
    def __init__(self, ray: Any, actor: Any) -> None:
        self.ray, self.actor = ray, actor

    def start(self) -> Answer:
        return self._get(self.actor.start.remote(), None)

    def annotate(self, shard: Shard, timeout: float | None) -> Answer:
        return self._get(self.actor.annotate.remote(shard), timeout)

    def _get(self, answer: Any, timeout: float | None) -> Answer:
        errors = self.ray.exceptions
        try:
            return self.ray.get(answer, timeout=timeout)
        except errors.GetTimeoutError as error:
            raise WorkerDied(f'no answer within {timeout:g} s; ended') from error
        except errors.RayError as error:
            raise WorkerDied(str(error).strip().splitlines()[0]) from error

    def close(self) -> None:
        self.ray.kill(self.actor)
