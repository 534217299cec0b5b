#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Label millions of photos or hours of video: shards that train another model (docs/annotation.md).

    python tools/annotate.py photos/ labels/ --tasks pose seg --weights sapiens_1b
    python tools/annotate.py s3://bucket/photos s3://bucket/labels --tasks multitask --weights j.pth --engine ray --workers 64 --gpus 1

Killed at any moment, the same command goes on, and the output is that of a run that was not. Exit code: 0 when
everything is labelled, 2 when the run had to stop (the message says why), 130 after Ctrl-C.
"""

import argparse
import os
import sys
from pathlib import Path

import _bootstrap  # noqa: F401  (puts the task folders on the path)

from sapiens_inference.loading import options_by_task, split_by_task
from sapiens_inference.tasks import DEFAULT_WEIGHTS, MULTITASK, TASKS, find_task


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'input',
        help='folder, .txt list, .parquet with a column "path", tar shards, video, glob pattern; local, '
        's3://... or any storage of fsspec',
    )
    parser.add_argument('output', help='folder of the labels; an unfinished run is continued')
    parser.add_argument(
        '--tasks', nargs='+', default=[MULTITASK.name], choices=[*TASKS, MULTITASK.name]
    )
    parser.add_argument(
        '--weights',
        nargs='+',
        default=[DEFAULT_WEIGHTS],
        metavar='[TASK=]FILE',
        help='default: the small model that comes with the suite',
    )
    parser.add_argument('--model', nargs='+', default=[], metavar='[TASK=]CONFIG')
    labels = parser.add_argument_group('labels (the same in every start of a run)')
    labels.add_argument('--boxes', help="JSON file of boxes, 'image', 'detector'")
    labels.add_argument('--crops', action='store_true', help='run dense tasks person by person')
    labels.add_argument('--det-model', metavar='CONFIG', help='config of any mmdet detector')
    labels.add_argument('--det-weights', metavar='FILE', help='checkpoint of the detector')
    labels.add_argument('--bbox-thr', type=float, default=0.3, help='least box score')
    labels.add_argument('--keypoints', nargs='+', help='308, 133, 17, groups or names')
    labels.add_argument('--flip-test', action=argparse.BooleanOptionalAction)
    labels.add_argument('--batch-size', type=int, default=8)
    labels.add_argument('--device', help='cuda, cpu (default: the best there is)')
    labels.add_argument('--dtype', default='auto', help='auto, float32, float16, bfloat16')
    labels.add_argument('--per-shard', type=int, default=256, help='photos per shard')
    labels.add_argument(
        '--range-seconds',
        type=float,
        default=60.0,
        help='of videos, per shard; one whose boxes have frame numbers is not cut',
    )
    labels.add_argument(
        '--images',
        choices=['copy', 'refer'],
        default='copy',
        help='put the photos into the shards, or leave them where they are',
    )
    labels.add_argument('--low-score', type=float, default=0.3, help='keypoint score to flag')
    labels.add_argument(
        '--cores',
        type=int,
        help='CPU cores of each worker (default: all, divided by the workers)',
    )
    run = parser.add_argument_group('running (may change from start to start)')
    run.add_argument('--engine', choices=['local', 'ray'], default='local')
    run.add_argument('--workers', type=int, help='default: one per GPU, or one')
    run.add_argument('--gpus', type=float, help='GPUs of each worker on Ray (default: 1 on cuda)')
    run.add_argument('--ray-address', help='of a cluster; default: Ray on this machine')
    run.add_argument('--tries', type=int, default=3, help='of a shard, then of an input')
    run.add_argument('--max-bad-share', type=float, default=0.1, metavar='SHARE')
    run.add_argument('--timeout', type=float, metavar='SECONDS', help='that a shard may take')
    run.add_argument('--quiet', action='store_true')
    return parser.parse_args(argv)


def make_settings(args: argparse.Namespace) -> tuple:
    """The settings of a command line, and how many workers there are."""
    import torch

    from sapiens_inference.annotate.models import pick_precision
    from sapiens_inference.annotate.settings import Settings

    on_gpus = args.engine == 'ray' and (args.gpus or 0) > 0
    device, dtype = pick_precision(args.device, args.dtype, on_gpus)
    workers = args.workers or (torch.cuda.device_count() if device == 'cuda' else 1)
    weights = split_by_task(args.weights, args.tasks)
    missing = [task for task in args.tasks if task not in weights]
    if missing:
        raise ValueError(f'--weights names no checkpoint for {missing[0]}; add {missing[0]}=FILE')
    given = {'keypoints': args.keypoints, 'flip_test': args.flip_test}
    options = {task: own for task, own in options_by_task(given, args.tasks).items() if own}
    detector = {'model': args.det_model, 'weights': args.det_weights, 'score': args.bbox_thr}
    settings = Settings(
        weights={task: _find(task, weights[task]) for task in args.tasks},
        models={k: _absolute(v) for k, v in split_by_task(args.model, args.tasks).items()},
        boxes=None if args.boxes is None else _absolute(args.boxes),
        crops=args.crops,
        detector=detector,
        options=options,
        batch_size=args.batch_size,
        device=device,
        dtype=dtype,
        threads=args.cores or max(1, (os.cpu_count() or 1) // workers),
        per_shard=args.per_shard,
        range_seconds=args.range_seconds,
        images=args.images,
        low_score=args.low_score,
    )
    return settings, workers


def _find(task: str, name: str) -> str:
    """Weights by the name that says which they are: a size stands for the published model of the task."""
    from sapiens_common.weights import is_published

    published = find_task(task).published(name)
    return published if is_published(published) else _absolute(name)


def _absolute(name: str) -> str:
    """A file so that every worker finds it; names stay as they are."""
    return str(Path(name).resolve()) if Path(name).is_file() else name


def main(argv: list[str] | None = None) -> int:
    """Run; returns the exit code."""
    args = parse_args(argv)
    try:
        settings, workers = make_settings(args)
        from sapiens_inference.annotate.engines import local_engine, ray_engine
        from sapiens_inference.annotate.run import Run
        from sapiens_inference.annotate.storage import StorageError
    except (ValueError, ImportError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    run = None
    try:
        run = Run(args.input, args.output, settings)
        if run.left_out:
            print(f'left out: {run.left_out}', file=sys.stderr)
        options = {
            'settings': settings,
            'settings_id': run.settings_id,
            'output': run.storage.place,
            'tries': args.tries,
        }
        if args.engine == 'ray':
            gpus = args.gpus if args.gpus is not None else float(settings.device == 'cuda')
            engine = ray_engine(options, workers, settings.threads, gpus, args.ray_address)
        else:
            engine = local_engine(options, workers)
        report = run.run(engine, args.max_bad_share, args.timeout, args.quiet)
    except (ValueError, ImportError, StorageError) as error:
        print(f'error: {error}', file=sys.stderr)
        if run is not None or isinstance(error, StorageError):  # else the folder was refused
            print('the same command continues the run', file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print('stopped; the same command continues the run', file=sys.stderr)
        return 130
    total = report.total
    for flag, count in report.flags.items():
        print(f'{count} of {total["done"]} images: {flag}', file=sys.stderr)
    print(
        f'{total["done"]} images labelled, {total["aside"]} set aside, {total["people"]} people; labels in '
        f'{args.output}, report in {args.output.rstrip("/")}/log/report.json'
    )
    return 0


if __name__ == '__main__':
    sys.exit(main())
