#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Keep images of people: filter, drop near-duplicates, write shards and a manifest (docs/pretraining.md)."""

import argparse
import os
import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import _bootstrap

sys.path.append(os.getcwd())  # filters of one's own lie where the command is given


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('images', help='folder, .txt list, or tar shards')
    parser.add_argument('out', help='folder to write; an unfinished run is continued')
    people = parser.add_argument_group('people')
    people.add_argument('--boxes', help='JSON file of boxes instead of a detector')
    people.add_argument('--det-model', help='config or name of the person detector')
    people.add_argument('--det-weights', help='checkpoint or name')
    people.add_argument('--device', help='of the detector (default: the best there is)')
    people.add_argument('--person-score', type=float, default=0.9, help='boxes count above this')
    people.add_argument('--person-side', type=float, default=300, help='pixels of the largest box')
    people.add_argument('--both-sides', action='store_true', help='both sides must exceed it')
    rest = parser.add_argument_group('other reasons to drop an image')
    rest.add_argument('--min-side', type=int, default=300, help='shorter side of the image, pixels')
    rest.add_argument('--duplicate-bits', type=int, default=4, help='hash distance; -1 keeps all')
    rest.add_argument(
        '--filters',
        nargs='*',
        default=['text'],
        help='text, watermark, art (the last two are weak), each with =LARGEST_SCORE if wanted, or '
        'package.module:attribute of your own',
    )
    run = parser.add_argument_group('run')
    run.add_argument('--workers', type=int, default=1, help='processes, or tasks at a time on Ray')
    run.add_argument('--engine', choices=['processes', 'ray'], default='processes')
    run.add_argument('--ray-address', help='of a cluster; default: Ray on this machine')
    run.add_argument('--gpus-per-worker', type=float, default=0, help='on Ray')
    run.add_argument('--batch-size', type=int, default=8, help='images per call of the detector')
    run.add_argument('--images-per-shard', type=int, default=10000)
    return parser.parse_args()


def load_detector(model: str | None, weights: str | None, device: str | None, score: float):
    """The suite's person detector, in the process that uses it."""
    from sapiens_det.person_detector import DEFAULT_MODEL, DEFAULT_WEIGHTS, PersonDetector
    from sapiens_pretrain.curation.detectors import ImageDetector

    found = PersonDetector(
        model or DEFAULT_MODEL,
        weights or (DEFAULT_WEIGHTS if model is None else None),
        device=device,
        score_thr=min(score, 0.3),
    )
    return ImageDetector(found.detect)


def main() -> None:
    """Curate."""
    args = parse_args()
    from sapiens_pretrain.curation import Curation, MinSize, PersonFilter, Settings, make_filter
    from sapiens_pretrain.curation.detectors import BoxesFile
    from sapiens_pretrain.curation.engines import Processes, RayData

    if args.boxes:
        detector = partial(BoxesFile, args.boxes)
    else:
        detector = partial(
            load_detector, args.det_model, args.det_weights, args.device, args.person_score
        )
    described = vars(args).copy()
    for name in ('images', 'out', 'workers', 'engine', 'ray_address', 'gpus_per_worker', 'device'):
        del described[name]  # these do not change the result
    settings = Settings(
        filters=[
            MinSize(args.min_side),
            PersonFilter(args.person_score, args.person_side, args.both_sides),
            *map(make_filter, args.filters),
        ],
        detector=detector,
        detector_batch=args.batch_size,
        duplicate_distance=args.duplicate_bits if args.duplicate_bits >= 0 else None,
        images_per_shard=args.images_per_shard,
        fingerprint=described,
    )
    if args.engine == 'ray':
        engine = RayData(args.workers, args.gpus_per_worker, args.ray_address)
    else:
        # A process that has used a GPU cannot be forked.
        engine = Processes(args.workers, 'fork' if args.boxes else 'spawn')
    summary = Curation(args.images, args.out, settings).run(engine)
    print(f'{summary["kept"]} of {summary["images"]} images kept; dropped: {summary["dropped"]}')


if __name__ == '__main__':
    _bootstrap.run(main)
