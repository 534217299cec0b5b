#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The kernels that take the most time: of the encoder in inference, and of a training step of pose, in bfloat16.

    python tools/benchmarks/kernels.py --device cuda --sizes 1b sapiens2_1b --batch 4 [--compile] [--trace FOLDER]

Without a GPU the operators of the CPU are listed. A trace opens in Perfetto or chrome://tracing.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import _bootstrap
import torch
from torch.profiler import ProfilerActivity, profile

ROWS = 10
STEPS = 5
"""That are profiled, after as many to warm up."""


def jobs(size: str, args: argparse.Namespace) -> dict[str, Callable[[], object]]:
    """What is profiled of a size, by name."""
    from benchmarks.batches import pose_batch
    from benchmarks.harness import Settings
    from benchmarks.models import encoder, input_size, lowered, recipe
    from benchmarks.train import training_step
    from mmengine.config import Config

    mode = 'default' if args.compile else ''
    settings = Settings(device=args.device, quick=args.quick, compile_mode=mode)
    model = lowered(encoder(size, settings), 'bfloat16', settings)
    forward = torch.inference_mode()(torch.compile(model) if args.compile else model)
    images = torch.randn(args.batch, 3, *input_size(size, args.quick), device=args.device)
    found: dict[str, Callable[[], object]] = {'inference': lambda: forward(images)}
    file = recipe('pose', size)
    if file is not None:
        config = Config.fromfile(file)
        data = pose_batch(args.batch, tuple(config.model.backbone.img_size))
        found['training'] = training_step(config, data, 'bfloat16', True, settings)
    return found


def report(job: Callable[[], object], on_gpu: bool, steps: int, trace: Path | None) -> str:
    """A table of the most expensive kernels of a job."""
    activities = [ProfilerActivity.CUDA] if on_gpu else []
    for _ in range(steps):
        job()
    with profile(activities=[ProfilerActivity.CPU, *activities]) as profiler:
        for _ in range(steps):
            job()
        if on_gpu:
            torch.cuda.synchronize()
    if trace:
        profiler.export_chrome_trace(str(trace))

    def seconds(event) -> float:
        # Operators on the CPU have launched the kernels and would count twice.
        if on_gpu and event.device_type.name == 'CPU':
            return 0.0
        return (event.self_device_time_total if on_gpu else event.self_cpu_time_total) / 1e6

    events = sorted(profiler.key_averages(), key=seconds, reverse=True)
    total = sum(map(seconds, events))
    rows = [
        f'| {event.key[:90]} | {event.count / steps:g} | {seconds(event) / steps * 1e3:.3f} | '
        f'{seconds(event) / total:.1%} |'
        for event in events[:ROWS]
    ]
    title = '| kernel | calls | ms | share |' if on_gpu else '| operator | calls | ms | share |'
    return '\n'.join([title, '|---|---|---|---|', *rows])


def main() -> None:
    """Profile every size."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--device', default='cpu', help='cpu (default) or cuda')
    parser.add_argument('--sizes', nargs='+', default=['tiny'], help='tiny, 1b, sapiens2_1b, ...')
    parser.add_argument('--batch', type=int, default=4)
    parser.add_argument('--compile', action='store_true')
    parser.add_argument('--trace', type=Path, help='folder for traces')
    parser.add_argument('--quick', action='store_true', help='tiny inputs: shows that it runs')
    args = parser.parse_args()
    if args.trace:
        args.trace.mkdir(parents=True, exist_ok=True)
    for size in args.sizes:
        for name, job in jobs(size, args).items():
            trace = args.trace / f'{size}_{name}.json' if args.trace else None
            print(f'\n**{size}, {name}, batch {args.batch}**\n')
            print(report(job, args.device != 'cpu', 1 if args.quick else STEPS, trace), flush=True)


if __name__ == '__main__':
    _bootstrap.run(main)
