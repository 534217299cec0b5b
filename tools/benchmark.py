#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Measure the suite against upstream's or the reference's way of doing the same work.

``python tools/benchmark.py all --json figures.json`` takes less than ten minutes on two CPU cores.
On a GPU: ``python tools/benchmark.py encoder --device cuda --sizes 0.3b 0.6b 1b 2b --batches 1 4 16 64
--compile``, and the same options for ``inference`` and ``train``; sizes of Sapiens2 are ``sapiens2_1b``.
``python tools/benchmark.py cpu`` holds all ways to run a model on a CPU side by side.
"""

import argparse
import importlib
import json
import sys
import time
from datetime import date
from pathlib import Path

import _bootstrap  # noqa: F401  (puts the task folders on the path)
from benchmarks import SINGLE, STAGES


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('stage', choices=[*STAGES, *SINGLE, 'all'])
    parser.add_argument('--json', metavar='FILE', help='also write the figures here')
    parser.add_argument('--device', default='cpu', help='cpu (default) or cuda')
    parser.add_argument('--repeats', type=int, default=7, help='timed rounds (default 7)')
    parser.add_argument(
        '--sizes', nargs='+', default=[], help='tiny, 0.3b, ..., sapiens2_0.4b, ...'
    )
    parser.add_argument('--batches', nargs='+', type=int, default=[], help='batch sizes of models')
    parser.add_argument(
        '--compile',
        nargs='?',
        const='default',
        default='',
        metavar='MODE',
        help='also measure torch.compile, in this mode (reduce-overhead uses CUDA graphs)',
    )
    parser.add_argument('--workers', type=int, default=2, help='loader and decoding workers')
    parser.add_argument('--threads', type=int, help='threads of torch (default: its own choice)')
    parser.add_argument('--samples', default='', help='folder of photos (default: made up)')
    parser.add_argument(
        '--quick', action='store_true', help='tiny sizes, two rounds: shows that it runs, no more'
    )
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Run the stages; 1 if a result differs from its baseline's."""
    args = parse_args(arguments)
    import torch
    from benchmarks.harness import Report, Settings, describe_machine, describe_versions
    from benchmarks.harness.machine import load_average
    from benchmarks.harness.report import markdown
    from mmengine.logging import MMLogger

    MMLogger.get_current_instance().setLevel('WARNING')
    if args.threads:
        torch.set_num_threads(args.threads)
    settings = Settings(
        device=args.device,
        quick=args.quick,
        repeats=args.repeats,
        sizes=tuple(args.sizes),
        batches=tuple(args.batches),
        compile_mode=args.compile,
        workers=args.workers,
        samples=args.samples,
    )
    report = Report(
        machine=describe_machine(settings.torch_device),
        versions=describe_versions(),
        settings={
            key: value for key, value in vars(args).items() if key not in ('json', 'samples')
        },
        date=date.today().isoformat(),
        load={'before': load_average()},
    )
    print(f'# Benchmark, {report.date}\n\n{report.machine}\n\n{report.versions}\n')
    wrong: list[str] = []
    for name in STAGES if args.stage == 'all' else [args.stage]:
        start = time.perf_counter()
        stage = importlib.import_module(f'benchmarks.{name}').run(settings)
        stage.seconds = time.perf_counter() - start
        report.stages.append(stage)
        print(markdown(stage), flush=True)
        wrong += stage.disagreements()
    report.load['after'] = load_average()
    if args.json:
        Path(args.json).write_text(json.dumps(report.to_dict(), indent=1), encoding='utf-8')
    print(f'load {report.load}, {sum(stage.seconds for stage in report.stages):.0f} s in all')
    for line in wrong:
        print(f'error: {line}', file=sys.stderr)
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
