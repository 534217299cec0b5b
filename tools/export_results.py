#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Results of a run in the formats of other tools: ``python tools/export_results.py RESULTS --to coco csv``.

RESULTS is the folder that ``tools/demo.py --out`` wrote. Files go to RESULTS/exports/<format>, or to
``--out``. ``--list`` names the formats.
"""

import argparse
import sys

import _bootstrap  # noqa: F401  (puts the task folders on the path)


def main(argv: list[str] | None = None) -> int:
    """Export; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('results', nargs='?', help='folder of results')
    parser.add_argument('--to', nargs='+', default=[], metavar='FORMAT', help='formats to write')
    parser.add_argument('--out', metavar='DIR', help='default: RESULTS/exports')
    parser.add_argument(
        '--images',
        metavar='PATH',
        help='the inputs of the run, for formats that show them (keypoint files name theirs)',
    )
    parser.add_argument('--list', action='store_true', help='list the formats')
    args = parser.parse_args(argv)
    from sapiens_inference.outputs.exports.registry import export_run, known_exports

    if args.list:
        for name, export in sorted(known_exports().items()):
            print(f'{name:14} {export.text} (from {", ".join(export.needs)})')
        return 0
    if not args.results or not args.to:
        parser.error('name the folder of results and --to FORMAT, or use --list')
    try:
        written = export_run(args.results, args.to, args.out, args.images)
    except (ValueError, OSError, ImportError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    for name, paths in written.items():
        where = f', {paths[0]}{" ..." if len(paths) > 1 else ""}' if paths else ''
        print(f'{name}: {len(paths)} {"file" if len(paths) == 1 else "files"}{where}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
