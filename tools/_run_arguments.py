# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What the command lines of tools/train.py, tools/test.py and others share."""

import argparse
import os
import sys

from mmengine.config import Config, DictAction


class OptionsAction(DictAction):
    """mmengine's ``KEY=VALUE`` options, of which it takes all spaces out: here paths keep theirs."""

    @staticmethod
    def _parse_iterable(val: str) -> object:
        bare = val.strip('\'"')
        if ',' in bare or bare[:1] + bare[-1:] in ('[]', '()'):
            return DictAction._parse_iterable(val)
        return DictAction._parse_int_float_bool(bare)


def parse_run(parser: argparse.ArgumentParser) -> tuple[argparse.Namespace, Config]:
    """Add the shared options, read the command line, and load the config it names.

    Exits with a message when the config cannot be loaded.
    """
    parser.add_argument(
        '--work-dir', help='where logs and checkpoints go (default work_dirs/<task>/<name>)'
    )
    parser.add_argument('--cfg-options', nargs='+', action=OptionsAction, metavar='KEY=VALUE')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    # Only now, so that --help answers at once.
    from runs.launch import load_config

    try:
        return args, load_config(args.config, args.work_dir, args.launcher, args.cfg_options)
    except ValueError as error:
        sys.exit(f'error: {error}')
