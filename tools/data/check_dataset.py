#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Audit the data a config trains and evaluates on, before it costs GPU hours.

``python tools/data/check_dataset.py configs/seg/sapiens_1b_goliath.py`` reads every annotation of the
train, val and test data, prints what is there, and exits with 1 if anything is wrong.
"""

import argparse
import sys
from importlib import import_module
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import _bootstrap  # noqa: F401  (puts the task folders on the path)
from mmengine.config import DictAction

from sapiens_common.engine.launch import load_config

# Package of a data set type -> module with audit_dataset(settings, workers) -> DataAudit.
AUDITS = {'sapiens_seg': 'sapiens_seg.audit'}
SPLITS = ('train', 'val', 'test')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('--splits', nargs='+', choices=SPLITS, default=SPLITS)
    parser.add_argument('--workers', type=int, default=4, help='threads that read files')
    parser.add_argument(
        '--max-problems', type=int, default=20, help='problems printed per data set'
    )
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
    return parser.parse_args()


def single_datasets(settings: dict) -> list[dict]:
    """The data sets inside wrappers (ConcatDataset, RepeatDataset, ...)."""
    inner = settings.get('datasets') or ([settings['dataset']] if 'dataset' in settings else [])
    if not inner:
        return [settings]
    return [leaf for child in inner for leaf in single_datasets(child)]


def main() -> int:
    """Audit each data set once; the number of problems decides the exit status."""
    args = parse_args()
    config = load_config(args.config, None, 'none', args.cfg_options)
    audited: list[dict] = []
    failed = 0
    for split in args.splits:
        loader = config.get(f'{split}_dataloader')
        for settings in single_datasets(loader['dataset']) if loader else []:
            if settings in audited:
                print(f'{split}: the same data as before')
                continue
            audited.append(settings)
            package = settings['type'].split('.')[0]
            if package not in AUDITS:
                print(f'{split}: {settings["type"]} cannot be audited (only {list(AUDITS)})')
                failed += 1
                continue
            audit = import_module(AUDITS[package]).audit_dataset(settings, args.workers)
            print(f'{split}: {settings.get("data_root", "")}\n{audit.report}')
            for problem in audit.problems[: args.max_problems]:
                print(f'PROBLEM {problem}')
            hidden = len(audit.problems) - args.max_problems
            if hidden > 0:
                print(f'... and {hidden} more problems')
            failed += len(audit.problems)
    print(f'{failed} problems' if failed else 'no problems')
    return int(failed > 0)


if __name__ == '__main__':
    sys.exit(main())
