# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Contact sheets: image, keypoints, parts, depth and normals side by side."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from sapiens_common.files.maps import read_array, read_picture
from sapiens_common.files.text import read_json
from sapiens_common.layouts.body_parts import BODY_PART_PALETTE
from sapiens_common.layouts.style import goliath308_style
from sapiens_common.visualization import depth_picture, draw_people, normal_picture
from sapiens_synth.dataset import FOLDERS, RECORDS


def draw_keypoints(image: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
    """Draw the skeleton and all points.

    Args:
        image: BGR uint8 (H, W, 3).
        keypoints: x, y and COCO flag (308, 3); hidden points are drawn as rings.
    """
    points, flags = keypoints[None, :, :2], keypoints[None, :, 2]
    labelled = points[flags > 0]
    box = np.concatenate([labelled.min(0), labelled.max(0)]) if len(labelled) else np.zeros(4)
    return draw_people(
        (image * 0.75).astype(np.uint8),
        points,
        flags,
        box[None],
        goliath308_style(),
        threshold=1,
        draw_boxes=False,
        hidden=flags == 1,
    )


def contact_sheet(root: str | Path, rows: int = 8, tile_height: int = 384) -> np.ndarray:
    """One picture of the first images of a data set.

    Args:
        root: Folder written by :func:`sapiens_synth.dataset.render_dataset`.
        rows: Number of images.
        tile_height: Height of each tile, pixels.

    Returns:
        BGR uint8 picture; two images per line, each with its keypoints, parts, depth and normals.

    Raises:
        ValueError: The folder holds no finished image.
    """
    root = Path(root)
    lines = []
    records = sorted((root / RECORDS).glob('*.json'))[:rows]
    if not records:
        raise ValueError(f'{root} holds no finished image; expected files in {RECORDS}/')
    palette = np.array(BODY_PART_PALETTE, np.uint8)[:, ::-1]
    for path in records:
        record = read_json(path)
        image = read_picture(root / FOLDERS['image'] / record['image']['file_name'])
        drawn = image
        for annotation in record['annotations']:
            drawn = draw_keypoints(
                drawn, np.array(annotation['goliath_wholebody_kpts']).reshape(-1, 3)
            )
        parts = root / FOLDERS['label'] / f'{path.stem}.png'
        depth = read_array(root / FOLDERS['depth'] / f'{path.stem}.npy')
        normal = read_array(root / FOLDERS['normal'] / f'{path.stem}.npy')
        tiles = [image, drawn]
        if parts.exists():
            tiles.append(palette[read_picture(parts)])
        tiles += [depth_picture(depth, depth > 0), normal_picture(normal)]
        scale = tile_height / image.shape[0]
        width = round(image.shape[1] * scale)
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        lines.append(
            np.hstack([cv2.resize(t, (width, tile_height), interpolation=how) for t in tiles])
        )
    if len(lines) > 1:
        if len(lines) % 2:
            lines.append(np.full_like(lines[0], 40))
        gap = np.full((tile_height, 12, 3), 255, np.uint8)
        lines = [np.hstack([lines[i], gap, lines[i + 1]]) for i in range(0, len(lines), 2)]
    return np.vstack(lines)
