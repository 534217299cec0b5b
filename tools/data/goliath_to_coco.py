#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""COCO's 17 keypoints of a data set with 308: ``python tools/data/goliath_to_coco.py data/synthetic data/coco``.

Reads what ``tools/data/render_humans.py`` writes. OUT gets COCO's folders: ``annotations/person_keypoints_{train,val}2017.json``
and links to the images in ``train2017/`` and ``val2017/``.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import _bootstrap

SPLITS = ('train', 'val')
KEPT = ('id', 'image_id', 'category_id', 'bbox', 'area', 'iscrowd')


def convert(content: dict[str, Any]) -> dict[str, Any]:
    """The COCO dict with 17 keypoints per person.

    Raises:
        ValueError: An annotation does not hold the 308 keypoints.
    """
    import numpy as np

    from sapiens_pose.datasets.goliath import read_goliath_keypoints
    from sapiens_pose.layouts import convert_keypoints, keypoint_names

    people = []
    for person in content['annotations']:
        points = read_goliath_keypoints(person)
        places, flags, _ = convert_keypoints(points[:, :2], points[:, 2], 'coco')
        kept = {key: person[key] for key in KEPT if key in person}
        kept['keypoints'] = np.column_stack([places, flags]).ravel().tolist()
        people.append({**kept, 'num_keypoints': int((flags > 0).sum())})
    category = {'id': 1, 'name': 'person', 'keypoints': keypoint_names('coco')}
    return {'images': content['images'], 'annotations': people, 'categories': [category]}


def main() -> None:
    """Convert both splits."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('source', metavar='SOURCE', help='folder with images/ and annotations/')
    parser.add_argument('out', metavar='OUT', help='folder to write')
    args = parser.parse_args()
    from sapiens_common.files.text import read_json

    source, out = Path(args.source).resolve(), Path(args.out)
    (out / 'annotations').mkdir(parents=True, exist_ok=True)
    for split in SPLITS:
        given = source / f'annotations/person_keypoints_{split}.json'
        content = read_json(given)
        if not isinstance(content, dict) or not {'images', 'annotations'} <= content.keys():
            raise ValueError(f'{given}: expected COCO JSON with "images" and "annotations"')
        content = convert(content)
        path = out / f'annotations/person_keypoints_{split}2017.json'
        path.write_text(json.dumps(content), encoding='utf-8')
        photos = out / f'{split}2017'
        photos.mkdir(exist_ok=True)
        for image in content['images']:
            link = photos / image['file_name']
            if not link.is_symlink():
                link.symlink_to(source / 'images' / image['file_name'])
        print(f'{path}: {len(content["annotations"])} people')


if __name__ == '__main__':
    _bootstrap.run(main)
