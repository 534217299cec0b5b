#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Labels that want a person's eye: taken out of a run of tools/annotate.py, and merged back (docs/annotation.md).

python tools/review_annotations.py pick labels/ review/ --count 48
python tools/review_annotations.py merge labels/ corrected.json
"""

import argparse
from pathlib import Path

import _bootstrap


def main() -> None:
    """Pick or merge."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest='verb', required=True)
    pick = verbs.add_parser('pick', help='the most doubtful images with their labels, drawn too')
    pick.add_argument('labels', help='folder that tools/annotate.py has written')
    pick.add_argument('out', help='folder to write')
    pick.add_argument('--count', type=int, default=48)
    merge = verbs.add_parser('merge', help='people that someone has corrected')
    merge.add_argument('labels', help='folder that tools/annotate.py has written')
    merge.add_argument('corrected', help='COCO file with keypoints')
    args = parser.parse_args()
    from sapiens_inference.annotate import review
    from sapiens_inference.annotate.shards import MANIFEST

    manifest = Path(args.labels) / MANIFEST
    if args.verb == 'pick':
        sheets = review.pick(manifest, args.out, args.count)
        print(f'sheets in {args.out}: {len(sheets)}; for CVAT: {Path(args.out, "exports/coco")}')
    else:
        print(f'{review.merge(manifest, args.corrected)} images corrected')


if __name__ == '__main__':
    _bootstrap.run(main)
