#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Kill workers and drivers of tools/annotate.py at random, and compare what comes out with an undisturbed run.

    python tools/benchmarks/annotate_kills.py WORK_DIR --images 3000 --kills 100
    python tools/benchmarks/annotate_kills.py WORK_DIR --images 3000 --kills 100 --place s3://bucket/kills

Small photos of noise go through the bundled model on two workers, once undisturbed and once under SIGKILL. With
--light there is no network: the photo's own brightness is the label, and all time goes into the machinery.
Prints how many images were lost, doubled, or differ; WORK_DIR/kills.json says the same. Exit code 0 if none.
"""

import argparse
import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tools'))


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('folder', type=Path, metavar='WORK_DIR')
    parser.add_argument(
        '--place', help='of photos and labels, if not WORK_DIR; any storage of fsspec'
    )
    parser.add_argument('--images', type=int, default=3000)
    parser.add_argument('--kills', type=int, default=100)
    parser.add_argument('--driver-share', type=float, default=0.2, help='of the kills')
    parser.add_argument('--engine', choices=['local', 'ray'], default='local')
    parser.add_argument('--pause', type=float, default=1.0, help='mean seconds between kills')
    parser.add_argument('--per-shard', type=int, default=32)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--light', action='store_true', help='labels without a network')
    parser.add_argument('--delay', type=float, default=0.0, help='seconds per photo, with --light')
    parser.add_argument('--drive', metavar='OUT', help=argparse.SUPPRESS)  # the light driver
    args = parser.parse_args()
    args.place = args.place or str(args.folder)
    return args


def open_storage(place: str) -> Any:
    """Files of a place."""
    import _bootstrap  # noqa: F401

    from sapiens_inference.annotate.storage import Storage

    return Storage(place)


def write_photos(place: str, count: int) -> None:
    """Photos of 64 x 48 pixels of noise over shapes."""
    import cv2
    import numpy as np

    storage, rng = open_storage(place), np.random.default_rng(0)
    for number in range(count):
        small = rng.integers(0, 256, (8, 6, 3), dtype=np.uint8)
        image = cv2.resize(small, (48, 64), interpolation=cv2.INTER_CUBIC)
        storage.write(f'photos/{number:06d}.jpg', cv2.imencode('.jpg', image)[1].tobytes())


def start(args: argparse.Namespace, out: str) -> subprocess.Popen:
    """The command, as a user gives it; or this file as the driver of light labels."""
    log = (args.folder / f'{out}.log').open('a')
    if args.light:
        command = [
            sys.executable,
            __file__,
            str(args.folder),
            '--place',
            args.place,
            '--drive',
            out,
        ]
        command += ['--engine', args.engine, '--per-shard', str(args.per_shard)]
        command += ['--delay', str(args.delay)]
        return subprocess.Popen(command, stdout=log, stderr=log)
    command = [sys.executable, str(ROOT / 'tools/annotate.py'), f'{args.place}/photos']
    command += [f'{args.place}/{out}', '--tasks', 'multitask', '--engine', args.engine]
    command += ['--weights', 'sapiens_tiny/multitask_synthetic', '--dtype', 'float32']
    command += ['--workers', '2', '--cores', '1', '--per-shard', str(args.per_shard)]
    return subprocess.Popen(command, stdout=log, stderr=log)


def build(settings: Any) -> list:
    """The light task: seg, whose labels are the bright pixels."""
    from sapiens_inference.engine.task import Task
    from sapiens_inference.outputs.results import Source
    from sapiens_seg.apis import SegResult

    class Bright(Task):
        task, result_type, output, gives_mask = 'seg', SegResult, 'labels: 1 is bright', True

        def describe(self) -> dict:
            return {}

        def views(self, item: Any, crops: bool) -> list:
            return [None]

        def preprocess(self, item: Any, view: Any) -> Any:
            return item.pixels

        def forward(self, samples: list) -> list:
            time.sleep(settings.options['seg']['delay'] * len(samples))
            return samples

        def postprocess(self, item: Any, views: list, outputs: list) -> Any:
            labels = (outputs[0].mean(axis=2) > 127).astype('uint8')
            colours = [[0, 0, 0], [255, 255, 255]]
            return SegResult(Source.of(item), labels, ['dark', 'bright'], colours)

        def visualize(self, item: Any) -> Any:
            return item.pixels

        def empty(self, source: Any) -> Any:
            return None

    return [Bright()]


def drive(args: argparse.Namespace) -> None:
    """Label the photos without a network."""
    import _bootstrap  # noqa: F401

    from sapiens_inference.annotate.engines import local_engine, ray_engine
    from sapiens_inference.annotate.run import Run
    from sapiens_inference.annotate.settings import Settings

    settings = Settings(
        {'seg': ''},
        options={'seg': {'delay': args.delay}},
        per_shard=args.per_shard,
        builder='annotate_kills:build',
    )
    run = Run(f'{args.place}/photos', f'{args.place}/{args.drive}', settings)
    options = {'settings': settings, 'settings_id': run.settings_id, 'output': run.storage.place}
    run.run({'local': local_engine, 'ray': ray_engine}[args.engine](options, 2))


def find_workers(driver: int) -> list:
    """Processes of the workers: those of this driver that are neither helpers nor the driver itself."""
    import psutil

    try:
        family = psutil.Process(driver).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    workers = []
    for process in family:
        try:
            line = ' '.join(process.cmdline())
            is_fork = 'forkserver' in line and process.ppid() != driver
            if is_fork or line.startswith('ray::RayAnnotator'):
                workers.append(process)
        except psutil.Error:
            continue
    return workers


def count_sealed(place: str) -> int:
    """How many shards are done."""
    from sapiens_inference.annotate.shards import sealed

    return len(sealed(open_storage(place)))


def disturb(args: argparse.Namespace) -> Counter:
    """Run to the end, whatever it takes; returns the kills."""
    import psutil

    rng = random.Random(args.seed)
    kills: Counter = Counter()
    out = f'{args.place}/killed'
    driver = start(args, 'killed')
    # Spread over the run, whatever the speed of the machine: so many shards are done between two kills.
    between = int(1.6 * args.images / args.per_shard / args.kills)
    while True:
        deadline = time.monotonic() + rng.expovariate(1 / args.pause)
        wanted = count_sealed(out) + rng.randint(0, between)
        while driver.poll() is None and (time.monotonic() < deadline or count_sealed(out) < wanted):
            time.sleep(0.1)
        if driver.poll() == 0:
            return kills
        if driver.poll() is not None:
            if driver.returncode != -signal.SIGKILL:
                raise RuntimeError(f'the run stopped: see {args.folder}/killed.log')
            driver = start(args, 'killed')
            continue
        workers = find_workers(driver.pid)
        if sum(kills.values()) >= args.kills or not workers:
            continue
        if (sum(kills.values()) + 1) * args.driver_share >= kills['driver'] + 1:
            driver.kill()
            driver.wait()
            kills['driver'] += 1
        else:
            try:
                rng.choice(workers).kill()
                kills['worker'] += 1
            except psutil.Error:
                continue
        print(f'{sum(kills.values())} kills', flush=True)


def samples_of(files: dict[str, bytes]) -> Counter:
    """How often each input was labelled."""
    count: Counter = Counter()
    for name, content in files.items():
        if name.startswith('shards/') and name.endswith('.json'):
            count.update(sample['input'] for sample in json.loads(content)['samples'])
    return count


def files_of(place: str) -> dict[str, bytes]:
    """The output by name, without what may differ from run to run."""
    storage = open_storage(place)
    names = (path.removeprefix(f'{storage.root}/') for path in storage.fs.find(storage.root))
    return {name: storage.read(name) for name in names if not name.startswith('log/')}


def compare(good: str, killed: str) -> dict[str, int]:
    """What the kills have changed: in the samples, and in the bytes of the files."""
    before, after = files_of(good), files_of(killed)
    wanted, got = samples_of(before), samples_of(after)
    return {
        'images': len(wanted),
        'lost': len(wanted.keys() - got.keys()),
        'doubled': sum(count > 1 for count in got.values()),
        'files': len(before),
        'files_differing': sum(after.get(name) != content for name, content in before.items()),
        'files_more': len(after.keys() - before.keys()),
    }


def main() -> int:
    """Run both; returns the exit code."""
    args = parse_args()
    if args.drive:
        drive(args)
        return 0
    args.folder.mkdir(parents=True, exist_ok=True)
    write_photos(args.place, args.images)
    began = time.monotonic()
    if start(args, 'good').wait():
        sys.exit(f'error: the undisturbed run stopped: see {args.folder}/good.log')
    seconds = {'undisturbed': round(time.monotonic() - began)}
    began = time.monotonic()
    kills = disturb(args)
    seconds['killed'] = round(time.monotonic() - began)
    result = {'kills': dict(kills), **compare(f'{args.place}/good', f'{args.place}/killed')}
    result['seconds'] = seconds
    (args.folder / 'kills.json').write_text(json.dumps(result, indent=2) + '\n')
    print(json.dumps(result, indent=2))
    wrong = ('lost', 'doubled', 'files_differing', 'files_more')
    return int(any(result[name] for name in wrong) or sum(kills.values()) < args.kills)


if __name__ == '__main__':
    sys.exit(main())
