#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What labelling N images takes: computed from a run's own report, and simulated with stragglers and failures.

    python tools/benchmarks/annotate_cluster.py labels/log/report.json --images 1e6 1e9 --workers 1000

Nothing is measured here. The report says how many images a worker labels per second and how many bytes an image
makes; a discrete-event simulation gives shards to workers as the driver of tools/annotate.py does: one at a time,
the next when it is done, a lost shard to the next worker that is free.
"""

import argparse
import heapq
import json
import random
from dataclasses import dataclass
from pathlib import Path

DAY = 86400.0


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
    """Of a simulated run: seconds from start to end, workers lost, and the share of work done twice."""

    seconds: float
    lost: int
    wasted: float


def simulate(shards: int, seconds: float, cluster: Cluster, seed: int = 0) -> Outcome:
    """Give shards to workers until all are done.

    Args:
        shards: How many.
        seconds: That a worker which is not a straggler takes for one, on average; it varies by a fifth.
        cluster: The machines.
        seed: Of the random numbers.
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


def table(
    report: dict, images: float, per_shard: int, cluster: Cluster, speedup: float
) -> dict[str, float | int | str]:
    """One column: what so many images take.

    Args:
        report: Of a run.
        images: How many.
        per_shard: Images per shard.
        cluster: The machines.
        speedup: How many times faster one of their workers is than the one of the report.
    """
    rate = report['images_per_second_of_worker'] * speedup
    shards = -(-int(images) // per_shard)
    busy = images / rate
    outcome = simulate(min(shards, 200_000), per_shard / rate, cluster)
    scale = shards / min(shards, 200_000)
    ideal = busy / cluster.workers
    return {
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
    columns = [table(report, n, args.per_shard, cluster, args.speedup) for n in args.images]
    for name in columns[0]:
        print(f'| {name} | ' + ' | '.join(f'{column[name]:,}' for column in columns) + ' |')


if __name__ == '__main__':
    main()
