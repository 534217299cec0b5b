#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Train any model of the suite: ``python tools/train.py configs/pose/sapiens_tiny_coco.py``."""

import argparse

import _bootstrap  # noqa: F401  (puts the task folders on the path)
from _run_arguments import parse_run


def main() -> None:
    """Build the runner and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
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
        const='auto',
        choices=['auto', 'bfloat16', 'float16'],
        help='mixed precision (without a value auto: what the hardware is fast at, float32 if nothing)',
    )
    parser.add_argument(
        '--no-validate', action='store_true', help='skip validation during training'
    )
    parser.add_argument(
        '--auto-scale-lr', action='store_true', help='scale the learning rate to the batch'
    )
    args, config = parse_run(parser)
    from runs import launch
    from runs.dist import leave_process_group

    if args.amp:
        launch.enable_amp(config, args.amp)
    if args.no_validate:
        launch.disable_validation(config)
    if args.auto_scale_lr:
        config.setdefault('auto_scale_lr', {})['enable'] = True
    if args.resume:
        launch.set_resume(config, args.resume)
    launch.build_runner(config).train()
    leave_process_group()


if __name__ == '__main__':
    main()
