#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Evaluate a checkpoint: ``python tools/test.py configs/pose/sapiens_1b_goliath.py CHECKPOINT``."""

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
        'checkpoint', help='.pth, TorchScript .pt2 or .safetensors file of the task'
    )
    parser.add_argument('--work-dir', help='where logs go (default work_dirs/<name>)')
    parser.add_argument('--out', metavar='FILE.pkl', help='also dump the raw predictions')
    parser.add_argument(
        '--tta', action='store_true', help="use the config's test-time augmentation"
    )
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def main() -> None:
    """Build the runner and test."""
    args = parse_args()
    from sapiens_common.engine import launch

    try:
        config = launch.load_config(args.config, args.work_dir, args.launcher, args.cfg_options)
    except ValueError as error:
        sys.exit(f'error: {error}')
    launch.set_checkpoint(config, args.checkpoint)
    if args.tta:
        launch.enable_tta(config)
    if args.out:
        launch.dump_predictions(config, args.out)
    launch.build_runner(config).test()


if __name__ == '__main__':
    main()
