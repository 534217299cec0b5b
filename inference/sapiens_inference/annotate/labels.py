# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Labels as the files of a shard, and flags for those that someone should look at."""

from __future__ import annotations

import io
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import cv2
import numpy as np

from sapiens_common.files.images import IMAGE_SUFFIXES
from sapiens_inference.items import NO_BOXES, NOBODY_FOUND, Item
from sapiens_inference.outputs.results import Result
from sapiens_inference.tasks import TASKS

FRAME_QUALITY = 95
"""JPEG quality of the frames of videos."""

_JPEG = [cv2.IMWRITE_JPEG_QUALITY, FRAME_QUALITY]
_HALF = ('depth', 'normal')
"""Tasks whose array is stored as float16."""


def image_member(item: Item, encoded: bytes, suffix: str) -> tuple[str, bytes]:
    """Suffix and content of the photo in the shard.

    A photo that training readers decode to the pixels that the model has seen stays as it is, byte for
    byte; another (HEIC, TIFF, transparent, 16 bits) becomes a PNG of those pixels, a frame a JPEG.
    """
    if item.frame is None and suffix in IMAGE_SUFFIXES and not item.notes:
        return suffix, encoded
    suffix, options = ('.png', []) if item.frame is None else ('.jpg', _JPEG)
    good, data = cv2.imencode(suffix, item.pixels, options)
    assert good
    return suffix, data.tobytes()


def label_members(results: dict[str, Result]) -> dict[str, bytes]:
    """Contents of the dense tasks' files by suffix (``.seg.png``, ``.depth.npz``); keypoints go into a table."""
    members = {}
    for task, result in results.items():
        if task in _HALF:
            members[f'.{task}.npz'] = pack_half(getattr(result, TASKS[task].result))
        elif result.suffixes and task != 'pose':
            members.update(_saved(task, result))
    return members


def pack_half(values: np.ndarray) -> bytes:
    """An array as float16 in a compressed npz, whose only member is ``values``; equal arrays give equal bytes.

    ``np.savez_compressed`` has zlib's level 6, which takes 1.6 to 1.7 times as long as level 1 and gains less than half a percent.
    """
    file = io.BytesIO()
    with (
        ZipFile(file, 'w', ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open('values.npy', 'w') as member,
    ):
        np.lib.format.write_array(member, values.astype(np.float16), allow_pickle=False)
    return file.getvalue()


def _saved(task: str, result: Result) -> dict[str, bytes]:
    """Contents of the files that a result's ``save`` writes, by suffix."""
    with TemporaryDirectory(prefix='sapiens_label_') as folder:
        result.save(Path(folder) / 'x')
        return {
            f'.{task}{path.suffix}': path.read_bytes() for path in sorted(Path(folder).iterdir())
        }


def people_rows(key: str, item: Item) -> list[dict[str, Any]]:
    """The people of an image as rows of the shard's table of keypoints."""
    result: Any = item.results.get('pose')
    if result is None:
        return []
    height, width = item.pixels.shape[:2]
    return [
        {
            'key': key,
            'name': item.name,
            'person': row,
            'height': height,
            'width': width,
            'box': result.boxes[row].astype(np.float32),
            'box_score': float(result.box_scores[row]),
            'keypoints': result.keypoints[row].astype(np.float32).ravel(),
            'scores': result.scores[row].astype(np.float32),
        }
        for row in range(len(result.boxes))
    ]


def judge(item: Item, low_score: float) -> tuple[dict[str, float], list[str]]:
    """Numbers that tell good labels from bad ones, and what is odd about them.

    Returns:
        ``keypoint_score``, the mean over all people and points, and ``foreground``, the share of labelled pixels,
        where the tasks give them; and flags: nobody detected, no boxes given, low scores, empty mask, not finite.
    """
    numbers: dict[str, float] = {}
    flags = ['no boxes given'] if NO_BOXES in item.notes else []
    pose: Any = item.results.get('pose')
    if pose is not None:
        if not flags and (not len(pose.boxes) or pose.box_origin == NOBODY_FOUND):
            flags.append('nobody detected')
        known = pose.scores[np.isfinite(pose.keypoints[..., 0])]
        if known.size:
            numbers['keypoint_score'] = round(float(known.mean()), 4)
            if numbers['keypoint_score'] < low_score:
                flags.append('low scores')
    seg: Any = item.results.get('seg')
    if seg is not None:
        numbers['foreground'] = round(float((seg.labels > 0).mean()), 4)
        if not numbers['foreground']:
            flags.append('empty mask')
    for task in _HALF:
        dense = item.results.get(task)
        # Depth is NaN where no crop was.
        if dense is not None and np.isinf(getattr(dense, TASKS[task].result)).any():
            flags.append('not finite')
    return numbers, sorted(set(flags))
