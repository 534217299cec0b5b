#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Pack a folder (or list) of images into tar shards with indices; unreadable images are named and left out."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import _bootstrap


def main() -> None:
    """Pack."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('images', help='folder, .txt list, or other shards')
    parser.add_argument('out', help='folder to write; an unfinished run is continued')
    parser.add_argument('--images-per-shard', type=int, default=10000)
    parser.add_argument('--workers', type=int, default=1, help='processes')
    args = parser.parse_args()
    from sapiens_pretrain.curation import Curation, Settings
    from sapiens_pretrain.curation.engines import Processes

    settings = Settings(duplicate_distance=None, images_per_shard=args.images_per_shard)
    summary = Curation(args.images, args.out, settings).run(Processes(args.workers))
    print(f'{summary["kept"]} of {summary["images"]} images packed into {args.out}/shards')
    if summary['dropped']:
        print(f'left out: {summary["dropped"]}; {args.out}/manifest.jsonl names them')


if __name__ == '__main__':
    _bootstrap.run(main)
