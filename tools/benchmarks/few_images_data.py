# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Labels of other points and other classes for rendered people, in the layouts of docs/finetuning.md."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from sapiens_common.layouts.body_parts import BODY_PARTS, IGNORE_INDEX
from sapiens_common.layouts.goliath308 import load_goliath308

LIMBS = {
    'upper_arm': ('shoulder', 'elbow'),
    'forearm': ('elbow', 'wrist'),
    'thigh': ('hip', 'knee'),
    'shin': ('knee', 'ankle'),
}
POINTS = {
    f'{side}_{limb}': tuple(f'{side}_{end}' for end in ends)
    for limb, ends in LIMBS.items()
    for side in ('left', 'right')
} | {'chest': ('left_shoulder', 'right_shoulder'), 'pelvis': ('left_hip', 'right_hip')}
"""Points that the 308 do not have: the middles in the image between two of them."""

CLASSES = ('Background', 'Skin', 'Hair', 'Upper', 'Lower', 'Shoes')
_GARMENTS = {
    'Background': 'Background',
    'Hair': 'Hair',
    'Upper_Clothing': 'Upper',
    'Lower_Clothing': 'Lower',
    **{f'{side}_{part}': 'Shoes' for side in ('Left', 'Right') for part in ('Shoe', 'Sock')},
}
LEAST_POINTS = 4
"""Labelled points of a person that is used."""


def prepare(renders: Path, out: Path) -> None:
    """Write ``{train,choose,figures}.json`` and ``.txt``, and ``segmentations/``; nothing if they are there.

    Args:
        renders: Folder of tools/data/render_humans.py with one person per image. The first third of the held-out people
            is ``choose``, the others are ``figures``.
        out: Folder to write.
    """
    if (out / 'figures.json').is_file():
        return
    (out / 'segmentations').mkdir(parents=True, exist_ok=True)
    table = class_table()
    names = [point['name'] for point in load_goliath308()['keypoints']]
    splits = {}
    for split in ('train', 'val'):
        path = renders / f'annotations/person_keypoints_{split}.json'
        content = json.loads(path.read_text(encoding='utf-8'))
        splits[split] = own_points(content, names)
    held_out = splits['val']['images']
    third = len(held_out) // 3
    write(subset(splits['val'], held_out[:third]), out / 'choose')
    for content in splits.values():
        for image in content['images']:
            name = Path(image['file_name']).with_suffix('.png').name
            labels = cv2.imread(str(renders / 'segmentations' / name), cv2.IMREAD_UNCHANGED)
            cv2.imwrite(str(out / 'segmentations' / name), table[labels])
    write(splits['train'], out / 'train')
    write(subset(splits['val'], held_out[third:]), out / 'figures')


def own_points(content: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """A COCO file of 308 keypoints (``names``) as one of :data:`POINTS`, of people with enough of them."""
    ends = np.array([[names.index(end) for end in pair] for pair in POINTS.values()])
    images, annotations = {image['id']: image for image in content['images']}, []
    for annotation in content['annotations']:
        keypoints = np.reshape(annotation['goliath_wholebody_kpts'], (-1, 3))[ends]  # (10, 2, 3)
        points = np.concatenate([keypoints[..., :2].mean(1), keypoints[..., 2:].min(1)], axis=1)
        points[points[:, 2] == 0] = 0
        labelled = int((points[:, 2] > 0).sum())
        if labelled >= LEAST_POINTS:
            kept = {key: annotation[key] for key in ('id', 'image_id', 'iscrowd', 'bbox', 'area')}
            kept |= {'category_id': 1, 'num_keypoints': labelled}
            annotations.append({**kept, 'keypoints': points.round(2).ravel().tolist()})
    used = [images[annotation['image_id']] for annotation in annotations]
    category = {'id': 1, 'name': 'person', 'keypoints': list(POINTS), 'skeleton': []}
    return {'images': used, 'annotations': annotations, 'categories': [category]}


def class_table() -> np.ndarray:
    """Own class of each label (256, ) of the 28 parts: what is no garment and no hair is skin."""
    table = np.full(256, IGNORE_INDEX, np.uint8)
    for label, part in enumerate(BODY_PARTS):
        if part.name != 'Apparel':  # hats and bags alike
            table[label] = CLASSES.index(_GARMENTS.get(part.name, 'Skin'))
    return table


def subset(content: dict[str, Any], images: list[dict[str, Any]]) -> dict[str, Any]:
    """A COCO file of some of its images."""
    ids = {image['id'] for image in images}
    annotations = [entry for entry in content['annotations'] if entry['image_id'] in ids]
    return {**content, 'images': images, 'annotations': annotations}


def write(content: dict[str, Any], path: Path) -> None:
    """Write ``PATH.json`` for keypoints, and ``PATH.txt`` for classes."""
    path.with_suffix('.json').write_text(json.dumps(content), encoding='utf-8')
    stems = ''.join(f'{Path(image["file_name"]).stem}\n' for image in content['images'])
    path.with_suffix('.txt').write_text(stems, encoding='utf-8')
