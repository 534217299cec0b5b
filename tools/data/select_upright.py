#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Keep the people of a COCO keypoint file whose trunk is seen and upright, for an easier start of a training.

    python tools/data/select_upright.py data/photos/annotations/person_keypoints_train.json upright.json --lean 35 --facing

Small models that begin with people lying, bowing and seen from all sides stay for long with the average pose;
after a while with upright people who face the camera they learn the rest.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import _bootstrap
from benchmarks.photo_metrics import trunk

from sapiens_common.files.text import read_json

NOSE_AND_TRUNK = [0, 5, 6, 11, 12]
SEEN_FACING = 6  # fewest points that are seen
FACING = 0.15  # the shoulders' distance against the trunk's length, left one on the image's right


def is_upright(annotation: dict[str, Any], lean: float, facing: bool, smallest: float) -> bool:
    """Whether a person's trunk leans less than ``lean`` degrees in the image.

    Args:
        annotation: With 17 ``keypoints`` and ``bbox``.
        lean: Largest angle between the image's vertical and the line from the shoulders to the hips.
        facing: Ask also that the left shoulder is right of the right one, and that 6 points are seen.
        smallest: Shortest longer side of the box, pixels.
    """
    points = np.reshape(annotation['keypoints'], (17, 3)).astype(float)
    if not (points[NOSE_AND_TRUNK, 2] > 0).all() or max(annotation['bbox'][2:]) <= smallest:
        return False
    angle, across = trunk(points)
    if angle >= lean:
        return False
    return not facing or bool(across > FACING and (points[:, 2] == 2).sum() >= SEEN_FACING)


def main(arguments: list[str] | None = None) -> None:
    """Select."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('source', help='COCO keypoint file')
    parser.add_argument('target', help='file to write')
    parser.add_argument('--lean', type=float, default=75, help='degrees (default 75)')
    parser.add_argument('--facing', action='store_true', help='only people who face the camera')
    parser.add_argument('--smallest', type=float, default=40, help='pixels (default 40)')
    args = parser.parse_args(arguments)
    data = read_json(args.source)
    if not isinstance(data, dict) or 'annotations' not in data:
        raise ValueError(f'{args.source}: expected COCO JSON with "annotations"')
    kept = [
        annotation
        for annotation in data['annotations']
        if is_upright(annotation, args.lean, args.facing, args.smallest)
    ]
    if not kept:
        raise ValueError(f'{args.source}: none of {len(data["annotations"])} people is upright')
    print(f'{args.target}: {len(kept)} of {len(data["annotations"])} people')
    Path(args.target).write_text(json.dumps({**data, 'annotations': kept}), encoding='utf-8')


if __name__ == '__main__':
    _bootstrap.run(main)
