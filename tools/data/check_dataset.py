#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Audit the data a config trains and evaluates on, before it costs GPU hours.

``python tools/data/check_dataset.py configs/seg/sapiens_1b_goliath.py`` reads every sample of the train,
val and test data as training does, audits annotations where a task has an audit of its own, prints
every problem by file, and exits with 1 if anything is wrong. ``--sheet FILE.png`` draws random augmented
training samples with their targets.
"""

import argparse
import sys
from importlib import import_module
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import _bootstrap
from _run_arguments import OptionsAction
from mmengine.config import Config
from mmengine.registry import init_default_scope
from runs.launch import load_config

from sapiens_inference.outputs.writers import write_image

# Package of a data set type -> module of data_checks with audit_dataset(settings, workers) -> DataAudit.
AUDITS = {'sapiens_seg': 'data_checks.labels', 'sapiens_depth_normal': 'data_checks.surfaces'}
SPLITS = ('train', 'val', 'test')
# KeyError: a type that no registry has; TypeError: an argument that the type does not take.
UNUSABLE = (ValueError, OSError, KeyError, TypeError)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('--splits', nargs='+', choices=SPLITS, default=SPLITS)
    parser.add_argument('--workers', type=int, default=4, help='processes that read')
    parser.add_argument(
        '--max-problems', type=int, default=20, help='problems printed per data set'
    )
    parser.add_argument('--sheet', metavar='FILE.png', help='draw random training samples')
    parser.add_argument('--sheet-count', type=int, default=12, help='samples on the sheet')
    parser.add_argument('--cfg-options', nargs='+', action=OptionsAction, metavar='KEY=VALUE')
    return parser.parse_args()


def single_datasets(settings: dict) -> list[dict]:
    """The data sets inside wrappers (ConcatDataset, RepeatDataset, ...) that only put them together.

    A wrapper with a pipeline of its own is one set: what is inside it may not read any file.
    """
    inner = settings.get('datasets') or ([settings['dataset']] if 'dataset' in settings else [])
    if not inner or settings.get('pipeline'):
        return [settings]
    return [leaf for child in inner for leaf in single_datasets(child)]


def check(settings: dict, workers: int) -> tuple[str, list[str]]:
    """Report and problems of one data set: its task's audit, then every sample through its pipeline."""
    from data_checks.samples import audit_samples, build_dataset

    package = settings['type'].split('.')[0]
    reports, problems = [], []
    try:
        if package in AUDITS:
            audit = import_module(AUDITS[package]).audit_dataset(settings, workers)
            reports.append(audit.report)
            problems += audit.problems
        audit = audit_samples(build_dataset(settings), workers)
        reports.append(audit.report)
        known = set(problems)  # a label file that cannot be used is a sample that cannot be read
        problems += [text for text in audit.problems if text.partition('Error: ')[2] not in known]
    except UNUSABLE as error:
        problems += [] if str(error) in problems else [str(error)]
    return '\n'.join(reports), problems


def draw_sheet(config: Config, path: str, count: int) -> None:
    """Write a picture of random training samples."""
    from data_checks.samples import build_dataset, sample_sheet

    if not config.get('train_dataloader'):
        print('no sheet: the config has no training data')
        return
    try:
        picture = sample_sheet(build_dataset(config.train_dataloader.dataset), count)
    except UNUSABLE:  # listed above
        picture = None
    if picture is None:
        print('no sheet: no training sample can be read')
        return
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_image(Path(path), picture)
    print(f'wrote {path}: look at it before training')


def main() -> int:
    """Check each data set once; the number of problems decides the exit status."""
    args = parse_args()
    config = load_config(args.config, None, 'none', args.cfg_options)
    init_default_scope(config.get('default_scope', 'mmengine'))
    audited: list[dict] = []
    failed = 0
    for split in args.splits:
        loader = config.get(f'{split}_dataloader')
        for settings in single_datasets(loader['dataset']) if loader else []:
            if settings in audited:
                print(f'{split}: the same data as before')
                continue
            audited.append(settings)
            report, problems = check(settings, args.workers)
            print(f'{split}: {settings.get("data_root", "")}\n{report}')
            for problem in problems[: args.max_problems]:
                print(f'PROBLEM {problem}')
            hidden = len(problems) - args.max_problems
            if hidden > 0:
                print(f'... and {hidden} more problems')
            failed += len(problems)
    if not audited:
        raise ValueError(
            f'{args.config} has no data of {", ".join(args.splits)}; nothing was checked'
        )
    if args.sheet:
        draw_sheet(config, args.sheet, args.sheet_count)
    print(f'{failed} problems' if failed else 'no problems')
    return int(failed > 0)


if __name__ == '__main__':
    _bootstrap.run(main)
