#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Kill workers and drivers of tools/annotate.py at random, and compare what comes out with an undisturbed run.

    python tools/benchmarks/annotate_kills.py WORK_DIR --images 3000 --kills 100

Small photos of noise go through the model in the box on two workers, once undisturbed and once under SIGKILL.
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

ROOT = Path(__file__).resolve().parents[2]


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('folder', type=Path, metavar='WORK_DIR')
    parser.add_argument('--images', type=int, default=3000)
    parser.add_argument('--kills', type=int, default=100)
    parser.add_argument('--driver-share', type=float, default=0.2, help='of the kills')
    parser.add_argument('--engine', choices=['local', 'ray'], default='local')
    parser.add_argument('--pause', type=float, default=4.0, help='mean seconds between kills')
    parser.add_argument('--per-shard', type=int, default=32)
    parser.add_argument('--seed', type=int, default=0)
    return parser.parse_args()


def write_photos(folder: Path, count: int) -> None:
    """Photos of 64 x 48 pixels of noise over shapes."""
    import cv2
    import numpy as np

    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for number in range(count):
        small = rng.integers(0, 256, (8, 6, 3), dtype=np.uint8)
        image = cv2.resize(small, (48, 64), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / f'{number:06d}.jpg'), image)


def start(args: argparse.Namespace, out: str) -> subprocess.Popen:
    """The command, as a user gives it."""
    command = [sys.executable, str(ROOT / 'tools/annotate.py'), str(args.folder / 'photos')]
    command += [str(args.folder / out), '--tasks', 'multitask', '--engine', args.engine]
    command += ['--weights', 'sapiens_tiny/multitask_synthetic', '--dtype', 'float32']
    command += ['--workers', '2', '--cores', '1', '--per-shard', str(args.per_shard)]
    log = (args.folder / f'{out}.log').open('a')
    return subprocess.Popen(command, stdout=log, stderr=log)


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


def disturb(args: argparse.Namespace) -> Counter:
    """Run to the end, whatever it takes; returns the kills."""
    import psutil

    rng = random.Random(args.seed)
    kills: Counter = Counter()
    driver = start(args, 'killed')
    while True:
        deadline = time.monotonic() + rng.expovariate(1 / args.pause)
        while driver.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
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
        if rng.random() < args.driver_share:
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


def samples_of(out: Path) -> Counter:
    """How often each input was labelled."""
    count: Counter = Counter()
    for path in sorted((out / 'shards').glob('*.json')):
        count.update(sample['input'] for sample in json.loads(path.read_text())['samples'])
    return count


def compare(good: Path, killed: Path) -> dict[str, int]:
    """What the kills have changed: in the samples, and in the bytes of the files."""
    wanted, got = samples_of(good), samples_of(killed)

    def files(out: Path) -> dict[str, bytes]:
        found = (p for p in out.rglob('*') if p.is_file())
        relative = ((p.relative_to(out), p) for p in found)
        return {str(r): p.read_bytes() for r, p in relative if r.parts[0] != 'log'}

    before, after = files(good), files(killed)
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
    write_photos(args.folder / 'photos', args.images)
    began = time.monotonic()
    if start(args, 'good').wait():
        sys.exit(f'error: the undisturbed run stopped: see {args.folder}/good.log')
    seconds = {'undisturbed': round(time.monotonic() - began)}
    began = time.monotonic()
    kills = disturb(args)
    seconds['killed'] = round(time.monotonic() - began)
    result = {'kills': dict(kills), **compare(args.folder / 'good', args.folder / 'killed')}
    result['seconds'] = seconds
    (args.folder / 'kills.json').write_text(json.dumps(result, indent=2) + '\n')
    print(json.dumps(result, indent=2))
    wrong = ('lost', 'doubled', 'files_differing', 'files_more')
    return int(any(result[name] for name in wrong) or sum(kills.values()) < args.kills)


if __name__ == '__main__':
    sys.exit(main())
