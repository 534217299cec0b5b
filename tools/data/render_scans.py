#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Depth and normals of scans at the pixels of the photos that were taken of them (docs/public_data.md).

``python tools/data/render_scans.py hi4d --root data/hi4d --out data/hi4d_maps`` casts rays through the
calibrated cameras, lens distortion included, and writes a folder that ``DenseFolderDataset`` reads. Scans
without photos (THuman2.x, 2K2K) are rendered with ``tools/data/render_humans.py --preset thuman2``.
"""

import argparse
import logging
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import _bootstrap

from sapiens_synth.hi4d import CAMERA, PAIRS, find_shots
from sapiens_synth.photo_maps import render_photo_maps


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('data', choices=['hi4d'])
    parser.add_argument('--root', required=True, help='folder of pairXX/')
    parser.add_argument('--out', required=True, help='folder to write; a begun one is continued')
    parser.add_argument('--pairs', type=int, nargs='+', default=PAIRS)
    parser.add_argument('--cameras', type=int, nargs='+', default=[CAMERA])
    parser.add_argument('--every', type=int, default=1, help='take every n-th frame')
    parser.add_argument('--workers', type=int, default=1, help='processes')
    return parser.parse_args()


def main() -> None:
    """Render."""
    args = parse_args()
    logging.basicConfig(level=logging.INFO, format='%(levelname)s: %(message)s')
    shots = find_shots(Path(args.root), args.pairs, args.cameras, args.every)
    manifest = render_photo_maps(shots, Path(args.out), args.workers)
    logging.info(
        '%s: %d photos, %d left out (manifest.json says why), mean overlap with the masks %.3f',
        args.out, manifest['photos'], len(manifest['skipped']), manifest['mean_overlap'],
    )  # fmt: skip


if __name__ == '__main__':
    _bootstrap.run(main)
