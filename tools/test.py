#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Evaluate a checkpoint: ``python tools/test.py configs/pose/sapiens_1b_goliath.py CHECKPOINT``.

Tables per keypoint (``keypoints``), group of keypoints (``groups``) and class (``classes``) are written as CSV and JSON beside
the log, in ``WORK_DIR/<date>_<time>``.
"""

import argparse

import _bootstrap  # noqa: F401  (puts the task folders on the path)
from _reports import watch_keypoints, write_reports
from _run_arguments import parse_run


def main() -> None:
    """Build the runner and test."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument(
        'checkpoint', help='.pth, TorchScript .pt2 or .safetensors file of the task'
    )
    parser.add_argument('--out', metavar='FILE.pkl', help='also dump the raw predictions')
    parser.add_argument(
        '--tta', action='store_true', help="use the config's test-time augmentation"
    )
    parser.add_argument(
        '--exported',
        nargs='+',
        metavar='FILE.onnx',
        help='evaluate these exported files of the checkpoint; of a multitask model task=FILE',
    )
    args, config = parse_run(parser)
    from runs import launch
    from runs.dist import leave_process_group

    launch.set_checkpoint(config, args.checkpoint)
    if args.tta:
        launch.enable_tta(config)
    if args.out:
        launch.dump_predictions(config, args.out)
    runner = launch.build_runner(config)
    if args.exported:
        from sapiens_inference.outputs.exported import use_exported

        runner.load_or_resume()
        use_exported(runner.model, args.exported)
    watch_keypoints(runner)
    runner.test()
    write_reports(runner)
    leave_process_group()


if __name__ == '__main__':
    main()
