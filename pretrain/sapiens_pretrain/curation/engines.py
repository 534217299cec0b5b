# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Running independent tasks: processes of one machine, or a Ray cluster.

A task leaves its result on disk, so an engine only says which tasks run where, and every engine gives
the same result.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from sapiens_common.progress import Progress

Engine = Callable[[Callable[[int], None], Sequence[int]], None]


class Processes:
    """A pool of processes.

    Args:
        workers: Number of processes; 1 runs in this one.
        start_method: Of ``multiprocessing``; ``spawn`` where a worker uses a GPU.
    """

    def __init__(self, workers: int = 1, start_method: str = 'fork') -> None:
        if workers < 1:
            raise ValueError(f'workers must be at least 1, got {workers}')
        self.workers = workers
        self.start_method = start_method

    def __call__(self, function: Callable[[int], None], tasks: Sequence[int]) -> None:
        """Run ``function`` for every task; the first error ends the run."""
        if self.workers == 1:
            for task in Progress(tasks):
                function(task)
            return
        context = get_context(self.start_method)
        with ProcessPoolExecutor(self.workers, mp_context=context) as pool:
            futures = [pool.submit(function, task) for task in tasks]
            try:
                for future in Progress(futures):
                    future.result()
            finally:
                for future in futures:
                    future.cancel()


class RayData:
    """Ray Data on a cluster; all machines must see the images and the output folder.

    Args:
        workers: Tasks at a time; None leaves it to Ray.
        gpus: GPUs of each task (a fraction shares one).
        address: Address of the cluster, as ``ray.init`` takes it; None starts Ray on this machine.

    Raises:
        ImportError: Ray is not installed.
    """

    def __init__(
        self, workers: int | None = None, gpus: float = 0, address: str | None = None
    ) -> None:
        try:
            import ray.data
        except ImportError as error:
            raise ImportError('the ray engine needs Ray Data: pip install "ray[data]"') from error
        self.ray = ray
        self.workers = workers
        self.gpus = gpus
        if not ray.is_initialized():
            local = {} if address else {'num_cpus': workers, 'include_dashboard': False}
            ray.init(address=address, log_to_driver=False, **local)

    def __call__(self, function: Callable[[int], None], tasks: Sequence[int]) -> None:
        """Run ``function`` for every task."""

        def run(row: dict) -> dict:
            function(int(row['item']))
            return row

        rows = self.ray.data.from_items(
            [int(task) for task in tasks], override_num_blocks=len(tasks)
        )
        concurrency = {'concurrency': self.workers} if self.workers else {}
        rows.map(run, num_gpus=self.gpus, **concurrency).materialize()
