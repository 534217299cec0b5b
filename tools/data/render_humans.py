# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Render a synthetic data set of people for all tasks, see docs/synthetic_data.md."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import _bootstrap
import cv2

from sapiens_synth import PRESETS, contact_sheet, get_preset, render_dataset
from sapiens_synth.config import DETAIL_LEVELS, FRAMINGS
from sapiens_synth.scans import find_scans


def _people(text: str) -> tuple[int, int]:
    low, _, high = text.partition('-')
    try:
        return int(low), int(high or low)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f'expected a number or a range such as 1-4, got {text!r}'
        ) from None


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--out', required=True, help='folder to write; an unfinished one is continued'
    )
    parser.add_argument(
        '--count',
        type=int,
        default=None,
        help='images (default 2000; with --preset thuman2 or 2k2k three per scan)',
    )
    parser.add_argument('--preset', default='default', choices=sorted(PRESETS))
    parser.add_argument(
        '--size', type=int, nargs=2, metavar=('H', 'W'), help='image height and width'
    )
    parser.add_argument(
        '--scans', help='mesh file or folder of OBJ, PLY or GLB scans; default: procedural people'
    )
    parser.add_argument('--backgrounds', help='folder of background images; default: procedural')
    parser.add_argument('--people', type=_people, help='people per image, such as 2 or 1-4')
    parser.add_argument('--framing', choices=FRAMINGS, help='one framing only')
    parser.add_argument(
        '--yaw', type=float, help='largest turn away from the front, degrees (180: all around)'
    )
    parser.add_argument(
        '--glasses', type=float, help='share of people with eyeglasses; adds labels of 29 parts'
    )
    parser.add_argument('--detail', choices=DETAIL_LEVELS, help='fineness of procedural people')
    parser.add_argument('--format', choices=('jpg', 'png'), help='format of the images')
    parser.add_argument(
        '--val-fraction',
        type=float,
        default=0.1,
        help='share of held-out images, or of held-out scans',
    )
    parser.add_argument('--workers', type=int, default=1)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--preview', action='store_true', help='also write OUT/preview.png')
    return parser.parse_args()


def main() -> None:
    """Render."""
    args = parse_args()
    logging.basicConfig(level=logging.INFO, format='%(levelname)s: %(message)s')
    changes: dict = {}
    if args.size:
        changes['size'] = tuple(args.size)
    if args.scans:
        changes['scans'] = tuple(find_scans(args.scans))
    if args.backgrounds:
        changes['backgrounds'] = args.backgrounds
    if args.glasses is not None:
        changes['glasses'] = args.glasses
    if args.people:
        changes['people'] = args.people
    if args.framing:
        changes['framings'] = tuple(float(name == args.framing) for name in FRAMINGS)
        changes['every_framing'] = False
    if args.yaw is not None:
        changes['yaw'] = args.yaw
    if args.detail:
        changes['detail'] = args.detail
    if args.format:
        changes['image_format'] = args.format
    config = get_preset(args.preset, **changes)
    if config.every_framing and not args.scans:
        raise ValueError(f'--preset {args.preset} renders scans; give their folder with --scans')
    count = args.count
    if count is None:
        count = 3 * len(config.scans) if config.every_framing else 2000
    result = render_dataset(
        args.out,
        count,
        config,
        seed=args.seed,
        workers=args.workers,
        val_fraction=args.val_fraction,
    )
    logging.info(
        'rendered %d, reused %d, skipped %d; train %d, val %d; %.1f s (%.2f images/s)',
        result['rendered'], result['reused'], len(result['skipped']), result['train'], result['val'],
        result['seconds'], result['rendered'] / max(result['seconds'], 1e-9),
    )  # fmt: skip
    if args.preview:
        path = Path(args.out) / 'preview.png'
        if not cv2.imwrite(str(path), contact_sheet(args.out)):
            raise OSError(f'{path} could not be written; is the disk full?')
        logging.info('contact sheet: %s', path)


if __name__ == '__main__':
    _bootstrap.run(main)
