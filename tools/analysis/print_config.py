#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""A config as training sees it: ``python tools/analysis/print_config.py CONFIG [--cfg-options KEY=VALUE ...]``.

With ``--key`` only that part: ``--key model.backbone``.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import _bootstrap
from _run_arguments import OptionsAction


def main() -> None:
    """Print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config')
    parser.add_argument('--key', help='dotted path of a part')
    parser.add_argument('--cfg-options', nargs='+', action=OptionsAction, metavar='KEY=VALUE')
    args = parser.parse_args()
    from mmengine.config import Config
    from runs.launch import load_config

    config = load_config(args.config, None, 'none', args.cfg_options)
    if not args.key:
        print(config.pretty_text)
        return
    part = config._cfg_dict
    walked = ''
    for name in args.key.split('.'):
        at = int(name) if isinstance(part, list) and name.isdecimal() else name
        known = range(len(part)) if isinstance(part, list) else part
        if isinstance(part, str) or at not in known:
            raise ValueError(
                f'{args.config}: {walked or "the config"} has no {name!r}; there are {list(known)}'
            )
        part, walked = part[at], f'{walked}.{name}'.strip('.')
    last = args.key.rsplit('.', 1)[-1]
    name = last if last.isidentifier() else 'part'
    print(Config({name: part}).pretty_text)


if __name__ == '__main__':
    _bootstrap.run(main)
