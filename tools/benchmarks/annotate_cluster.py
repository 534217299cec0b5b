#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What labelling N images takes: computed from a run's own report, and simulated with stragglers and failures.

    python tools/benchmarks/annotate_cluster.py labels/log/report.json --images 1e6 1e9 --workers 1000

The report says how many images a worker labels per second and how many bytes an image makes; a discrete-event simulation
gives shards to workers as the driver of tools/annotate.py does: one at a time, the next when it is done, a lost shard to
the next worker that is free. The driver's own work is measured here, with workers that do nothing, and multiplied.
"""

import argparse
import heapq
import json
import random
import resource
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

DAY = 86400.0
DRIVER_SHARDS = 20
"""Over which the work of the driver is measured."""


@dataclass
class Cluster:
    """Machines as a simulation sees them.

    Attributes:
        workers: At a time.
        slow_share: Share of workers that are stragglers.
        slowness: How many times longer a straggler takes.
        days_between_failures: Mean time until a worker is lost, in days.
        restart: Seconds until another has loaded its models.
    """

    workers: int = 1000
    slow_share: float = 0.02
    slowness: float = 4.0
    days_between_failures: float = 5.0
    restart: float = 60.0


@dataclass
class Outcome:
    """Figures of a simulated run: seconds from start to end, workers lost, and the share of work done twice."""

    seconds: float
    lost: int
    wasted: float


def simulate(shards: int, seconds: float, cluster: Cluster, seed: int = 0) -> Outcome:
    """Give shards to workers until all are done.

    Args:
        shards: How many.
        seconds: Mean time of a shard on a worker that is not a straggler; it varies by a fifth.
        cluster: The machines.
        seed: Seed of the random numbers.
    """
    rng = random.Random(seed)
    is_slow = [rng.random() < cluster.slow_share for _ in range(cluster.workers)]
    free = [(0.0, worker) for worker in range(cluster.workers)]
    heapq.heapify(free)
    left, again, end, lost, wasted = shards, [], 0.0, 0, 0.0
    rate = 1 / (cluster.days_between_failures * DAY)
    while left or again:
        now, worker = heapq.heappop(free)
        if not left:
            # Nothing new: this worker waits for the first shard that another loses.
            now = max(now, heapq.heappop(again))
        elif again and again[0] <= now:
            heapq.heappop(again)
        else:
            left -= 1
        spent = seconds * rng.uniform(0.8, 1.2) * (cluster.slowness if is_slow[worker] else 1)
        fails = rng.expovariate(rate)
        if fails < spent:
            lost, wasted = lost + 1, wasted + fails
            heapq.heappush(again, now + fails)
            heapq.heappush(free, (now + fails + cluster.restart, worker))
        else:
            end = max(end, now + spent)
            heapq.heappush(free, (now + spent, worker))
    return Outcome(end, lost, wasted / (shards * seconds))


@dataclass
class Driver:
    """CPU seconds of the driver, and bytes of its plan.

    Attributes:
        plan: Per image, to list the inputs and cut them into shards.
        compare: Per image, to compare them with the plan at another start.
        plan_bytes: Per image.
        shard: Per shard, to give it out, note its report, and hash its manifest at the end.
        megabytes: Most memory of the process, its libraries included.
    """

    plan: float = 0.0
    compare: float = 0.0
    plan_bytes: float = 0.0
    shard: float = 0.0
    megabytes: float = 0.0


SAMPLE = {
    'key': '000000_000000',
    'name': 'photos/00000/000000000000',
    'input': '/data/photos/00000/000000000000.jpg',
    'sha256': 64 * '0',
    'size': [1024, 768],
    'members': ['.jpg', '.seg.png', '.depth.npz', '.normal.npz'],
    'people': 1,
    'quality': {'foreground': 0.2501, 'keypoint_score': 0.5012},
    'flags': [],
    'notes': [],
}
"""What a manifest says of an image."""


def measure_driver(shards: int, per_shard: int, workers: int = 16) -> Driver:
    """Run the driver on paths that nobody reads, with workers that do nothing but write a manifest.

    Args:
        shards: How many.
        per_shard: Images per shard.
        workers: At a time.
    """
    import _bootstrap  # noqa: F401
    import pyarrow as arrow
    from pyarrow import parquet

    from sapiens_inference.annotate.engines import Engine
    from sapiens_inference.annotate.run import Run
    from sapiens_inference.annotate.settings import Settings
    from sapiens_inference.annotate.shards import manifest_name

    class Idle:
        def start(self) -> dict:
            return {'ready': 0}

        def annotate(self, shard: dict, timeout: float | None) -> dict:
            (out / manifest_name(shard['shard'])).write_text(manifest)
            counts = {'inputs': per_shard, 'done': per_shard, 'people': per_shard, 'aside': 0}
            return {'shard': shard['shard'], **counts, 'wall': 1.0, 'bytes': 1}

        def close(self) -> None:
            pass

    manifest = json.dumps({'samples': [SAMPLE] * per_shard, 'aside': [], 'files': {}}, indent=1)
    images = shards * per_shard
    with TemporaryDirectory() as folder:
        out = Path(folder, 'out')
        (out / 'shards').mkdir(parents=True)
        paths = [f'/data/photos/{i >> 10:05d}/{i:012d}.jpg' for i in range(images)]
        parquet.write_table(arrow.table({'path': paths}), f'{folder}/list.parquet')
        del paths

        def start() -> tuple[Any, float]:
            begun = time.process_time()
            run = Run(f'{folder}/list.parquet', str(out), Settings({}, per_shard=per_shard))
            return run, time.process_time() - begun

        run, plan = start()
        begun = time.process_time()
        run.run(Engine(workers, lambda place: Idle()), quiet=True)
        work = time.process_time() - begun
        _, compare = start()
        size = (out / 'plan.jsonl').stat().st_size
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Driver(plan / images, compare / images, size / images, work / shards, memory)


def table(
    report: dict,
    images: float,
    per_shard: int,
    cluster: Cluster,
    speedup: float,
    driver: Driver | None = None,
) -> dict[str, float | int | str]:
    """One column: what so many images take.

    Args:
        report: Report of a run.
        images: How many.
        per_shard: Images per shard.
        cluster: The machines.
        speedup: How many times faster one of their workers is than the one of the report.
        driver: As measured; None leaves its rows out.
    """
    rate = report['images_per_second_of_worker'] * speedup
    shards = -(-int(images) // per_shard)
    busy = images / rate
    outcome = simulate(min(shards, 200_000), per_shard / rate, cluster)
    scale = shards / min(shards, 200_000)
    ideal = busy / cluster.workers
    rows = {
        'images': int(images),
        'shards': shards,
        'output, GB': round(images * report['bytes_per_image'] / 1e9, 1),
        'output, MB per second': round(report['bytes_per_image'] * rate * cluster.workers / 1e6, 1),
        'worker hours': round(busy / 3600, 1),
        'days on all workers, ideal': round(ideal / DAY, 3),
        'days, simulated': round(outcome.seconds * scale / DAY, 3),
        'workers lost': round(outcome.lost * scale),
        'work done twice, %': round(100 * outcome.wasted, 3),
    }
    if driver is not None:
        rows |= {
            'plan, GB': round(images * driver.plan_bytes / 1e9, 2),
            'driver: to plan, CPU hours': round(images * driver.plan / 3600, 3),
            'driver: to compare inputs at another start, CPU hours': round(
                images * driver.compare / 3600, 3
            ),
            'driver: to give out and seal shards, CPU hours': round(
                shards * driver.shard / 3600, 3
            ),
        }
    return rows


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('report', type=Path, help='log/report.json of a run')
    parser.add_argument('--images', type=float, nargs='+', default=[1e6, 1e9])
    parser.add_argument('--per-shard', type=int, default=1000)
    parser.add_argument('--speedup', type=float, default=1.0, help='of a worker, say on a GPU')
    for name, value in vars(Cluster()).items():
        parser.add_argument(f'--{name.replace("_", "-")}', type=type(value), default=value)
    args = parser.parse_args()
    cluster = Cluster(**{name: getattr(args, name) for name in vars(Cluster())})
    report = json.loads(args.report.read_text('utf-8'))
    driver = measure_driver(DRIVER_SHARDS, args.per_shard)
    print(json.dumps(asdict(driver)), file=sys.stderr)
    columns = [
        table(report, count, args.per_shard, cluster, args.speedup, driver) for count in args.images
    ]
    for name in columns[0]:
        print(f'| {name} | ' + ' | '.join(f'{column[name]:,}' for column in columns) + ' |')


if __name__ == '__main__':
    main()
