# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""A data set of noise that the recipes of every task can read."""

import json

import cv2
import numpy as np

from sapiens_common.layouts.body_parts import BODY_PART_SWAP_PAIRS

PEOPLE = 6


def invent_data(folder):
    """A data set of noise in all layouts: pictures, masks, alphas, labels, depth, normals, 308 keypoints."""
    rng = np.random.default_rng(0)
    for name in ('images', 'masks', 'alphas', 'segmentations', 'depths', 'normals', 'annotations'):
        (folder / name).mkdir(parents=True)
    images, annotations = [], []
    for index in range(PEOPLE):
        name = f'{index:06d}'
        image = cv2.resize(rng.integers(0, 256, (8, 6, 3), dtype=np.uint8), (48, 64))
        mask = np.zeros((64, 48), np.uint8)
        mask[8:56, 8:40] = 255
        cv2.imwrite(str(folder / f'images/{name}.jpg'), image)
        cv2.imwrite(str(folder / f'masks/{name}.png'), mask)
        cv2.imwrite(str(folder / f'alphas/{name}.png'), cv2.blur(mask, (3, 3)))
        labels = rng.integers(0, 28, (64, 48), dtype=np.uint8)
        cv2.imwrite(str(folder / f'segmentations/{name}.png'), labels)
        np.save(folder / f'depths/{name}.npy', rng.uniform(1, 2, (64, 48)).astype(np.float32))
        normals = rng.normal(size=(64, 48, 3)).astype(np.float32)
        normals[..., 2] = abs(normals[..., 2])  # to the camera, as what it sees
        normals /= np.linalg.norm(normals, axis=2, keepdims=True)
        np.save(folder / f'normals/{name}.npy', normals)
        points = np.concatenate([rng.uniform(9, 39, (308, 2)), np.full((308, 1), 2.0)], axis=1)
        images.append({'id': index, 'file_name': f'{name}.jpg', 'width': 48, 'height': 64})
        annotations.append(
            {
                'id': index,
                'image_id': index,
                'category_id': 1,
                'iscrowd': 0,
                'bbox': [8, 8, 32, 48],
                'area': 32 * 48,
                'num_keypoints': 308,
                'keypoints': points.ravel().tolist(),
            }
        )
    content = {
        'images': images,
        'annotations': annotations,
        'categories': [{'id': 1, 'name': 'person'}],
    }
    for split in ('train', 'val'):
        (folder / f'annotations/person_keypoints_{split}.json').write_text(json.dumps(content))
        names = ''.join(f'{index:06d}\n' for index in range(PEOPLE))
        (folder / f'{split}.txt').write_text(names)


def mirror_table() -> np.ndarray:
    """Lookup table that swaps left and right class ids of a mirrored label map.

    Returns:
        uint8 (256,): partner's id for the paired classes, the value itself elsewhere.
    """
    table = np.arange(256, dtype=np.uint8)
    for left, right in BODY_PART_SWAP_PAIRS:
        table[left], table[right] = right, left
    return table
