#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Keypoint metadata of your own layout, from the categories of a COCO JSON file.

``python tools/data/make_metainfo.py annotations.json my_points.py`` writes names, mirror partners
(from left and right in the names), sigmas and skeleton; ``--check my_points.py`` validates a file.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import _bootstrap  # noqa: F401  (puts the task folders on the path)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('annotations', nargs='?', help='COCO JSON file with your keypoints')
    parser.add_argument('output', nargs='?', help='metainfo file to write (.py)')
    parser.add_argument(
        '--check', metavar='FILE.py', help='validate a metainfo file, write nothing'
    )
    parser.add_argument('--category', help='category to take, where several have keypoints')
    parser.add_argument('--name', help='name of the layout (default: of the output file)')
    parser.add_argument('--sigma', type=float, default=0.05, help='OKS sigma of unknown points')
    parser.add_argument(
        '--allow-unpaired', action='store_true', help='left points without a right one are meant'
    )
    args = parser.parse_args()
    if (args.check is None) == (args.output is None):
        parser.error('give ANNOTATIONS and OUTPUT, or --check FILE.py')
    return args


def main() -> int:
    """Write or validate; problems are printed and decide the exit status."""
    args = parse_args()
    from data_checks import own_layout as metainfo

    try:
        if args.check:
            info = metainfo.read_metainfo(args.check)
        else:
            info = metainfo.make_metainfo(
                metainfo.read_category(args.annotations, args.category),
                args.name or Path(args.output).stem,
                args.sigma,
                args.allow_unpaired,
            )
            metainfo.write_metainfo(info, args.output, Path(args.annotations).name)
    except ValueError as error:
        print(f'ERROR {error}', file=sys.stderr)
        return 1
    problems = metainfo.find_metainfo_problems(info)
    for problem in problems:
        print(f'PROBLEM {problem}')
    points = info.get('keypoint_info', {})
    pairs = sum(bool(point.get('swap')) for point in points.values()) // 2
    print(
        f'{info.get("dataset_name")}: {len(points)} keypoints, {pairs} mirror pairs, '
        f'{len(info.get("skeleton_info", {}))} links, {len(problems)} problems'
    )
    if not args.check:
        print(f'wrote {args.output}; use it with metainfo=dict(from_file={args.output!r})')
    return int(bool(problems))


if __name__ == '__main__':
    sys.exit(main())
