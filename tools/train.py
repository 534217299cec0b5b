#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Train any model of the suite: ``python tools/train.py configs/pose/sapiens_tiny_coco.py``."""

import argparse
import os
import sys

import _bootstrap  # noqa: F401  (puts the task folders on the path)
from mmengine.config import DictAction


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--work-dir', help='where logs and checkpoints go (default work_dirs/<name>)'
    )
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='continue from a checkpoint; without a path from the newest complete one in the work dir',
    )
    parser.add_argument(
        '--amp',
        nargs='?',
        const='bfloat16',
        choices=['bfloat16', 'float16'],
        help='mixed precision (default bfloat16)',
    )
    parser.add_argument(
        '--no-validate', action='store_true', help='skip validation during training'
    )
    parser.add_argument(
        '--auto-scale-lr', action='store_true', help='scale the learning rate to the batch'
    )
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def main() -> None:
    """Build the runner and train."""
    args = parse_args()
    from sapiens_common.engine import launch

    try:
        config = launch.load_config(args.config, args.work_dir, args.launcher, args.cfg_options)
    except ValueError as error:
        sys.exit(f'error: {error}')
    if args.amp:
        launch.enable_amp(config, args.amp)
    if args.no_validate:
        launch.disable_validation(config)
    if args.auto_scale_lr:
        config.setdefault('auto_scale_lr', {})['enable'] = True
    if args.resume:
        config.resume = True
        config.load_from = None if args.resume == 'auto' else args.resume
    launch.build_runner(config).train()


if __name__ == '__main__':
    main()
