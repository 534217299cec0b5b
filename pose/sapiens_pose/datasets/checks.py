# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Annotations that cannot be used: found when the file is read, raised when the sample is asked for."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from mmpose.datasets.datasets.base import BaseCocoStyleDataset

from sapiens_common.paths import leaves_root

# Without these an annotation or image entry cannot even be indexed.
_INDEX_KEYS = {
    'images': ('id', 'file_name', 'width', 'height'),
    'annotations': ('id', 'image_id', 'category_id'),
}


class CheckedCocoStyleDataset(BaseCocoStyleDataset):
    """Mixin that turns unusable annotations into errors which name them.

    Upstream drops an annotation without a needed key silently, and fails on others with a bare
    ``KeyError``. Here the error is kept in the sample list and raised when the sample is fetched, so a
    training run can skip and count it, and a test run stops with it. Crowds and annotations without a
    labelled point are left out by rule, as upstream does.

    ``KEYPOINT_KEYS`` maps each annotation key that holds keypoints to its number of points; None says that
    ``keypoints`` holds all points of the metainfo.
    """

    KEYPOINT_KEYS: dict[str, int] | None = None

    def load_data_list(self) -> list[dict]:
        """Sample list from ``ann_file`` (and ``bbox_file``).

        Raises:
            ValueError: A file does not exist, an entry lacks a key that indexing needs, or an id
                stands twice.
        """
        for path in (self.ann_file, self.bbox_file):
            if path and not Path(path).is_file():
                raise ValueError(
                    f'annotation file {path} does not exist; set data_root, ann_file or bbox_file of '
                    'the dataset (bbox_file=None evaluates on the annotated boxes)'
                )
        try:
            return super().load_data_list()
        except KeyError as error:
            _name_incomplete_entry(self.ann_file)
            raise ValueError(f'{self.ann_file}: missing key {error}') from error

    def _load_annotations(self) -> tuple[list[dict], list[dict]]:
        """Upstream's entries; the index is there only until its caller returns."""
        entries = super()._load_annotations()
        _check_ids(self.ann_file, self.coco)
        return entries

    def parse_data_info(self, raw_data_info: dict) -> dict | None:
        """One sample, the text of its error, or None for an annotation that is left out by rule."""
        annotation, image = raw_data_info['raw_ann_info'], raw_data_info['raw_img_info']
        if annotation.get('iscrowd') or annotation.get('num_keypoints') == 0:
            return None
        try:
            problem = find_path_problem(image) or self.find_problem(annotation, image)
            if not problem:
                return super().parse_data_info(raw_data_info)
        # Text where numbers belong, a list where one number does, ...
        except (TypeError, ValueError, OverflowError) as error:
            problem = f'a value of the wrong kind ({error})'
        where = f'{self.ann_file}: annotation {annotation["id"]} of {image["file_name"]}'
        return {'id': annotation['id'], 'error': f'{where}: {problem}'}

    def find_problem(self, annotation: dict[str, Any], image: dict[str, Any]) -> str | None:
        """What is wrong with an annotation, or None."""
        counts = self.KEYPOINT_KEYS or {'keypoints': self._metainfo['num_keypoints']}
        return find_box_problem(annotation, image) or next(
            (
                problem
                for key, count in counts.items()
                if (problem := find_keypoint_problem(annotation, key, (count,)))
            ),
            None,
        )

    def get_data_info(self, idx: int) -> dict:
        """Sample by index, with the metainfo that transforms need.

        Raises:
            ValueError: The annotation cannot be used.
        """
        data_info = super().get_data_info(idx)
        if 'error' in data_info:
            raise ValueError(data_info['error'])
        return data_info


def find_path_problem(image: dict[str, Any]) -> str | None:
    """What is wrong with the ``file_name`` of an image, or None."""
    if leaves_root(str(image['file_name'])):
        return 'expected a file_name below the image folder, it points out of it'
    return None


def find_box_problem(annotation: dict[str, Any], image: dict[str, Any]) -> str | None:
    """What is wrong with the ``bbox`` (x, y, width, height) of an annotation, or None."""
    box = annotation.get('bbox')
    if box is None:
        return "expected the key 'bbox', it is missing"
    if np.shape(box) != (4,) or not np.isfinite(box).all():
        return f'expected bbox of 4 numbers (x, y, width, height), got {box}'
    x, y, width, height = box
    if width <= 0 or height <= 0:
        return f'expected a bbox with positive width and height, got {box}'
    size = (image['width'], image['height'])
    if x >= size[0] or y >= size[1] or x + width <= 0 or y + height <= 0:
        return f'bbox {box} lies outside its image of {size[0]} x {size[1]} pixels (width x height)'
    return None


def find_keypoint_problem(
    annotation: dict[str, Any], key: str, counts: tuple[int, ...]
) -> str | None:
    """What is wrong with the (x, y, visibility) triplets under a key, or None."""
    values = annotation.get(key)
    if values is None:
        return f'expected the key {key!r}, it is missing'
    array = np.asarray(values, np.float64).ravel()
    if array.size not in [3 * count for count in counts]:
        wanted = ' or '.join(f'{count} x 3' for count in counts)
        return f'expected {wanted} values in {key!r}, got {array.size}'
    if not np.isfinite(array).all():
        return f'expected finite numbers in {key!r}, got NaN or infinity'
    return None


def _name_incomplete_entry(path: str) -> None:
    """Raise for the first image or annotation entry that cannot be indexed."""
    content = json.loads(Path(path).read_text(encoding='utf-8'))
    for section, keys in _INDEX_KEYS.items():
        for index, entry in enumerate(content.get(section, [])):
            missing = [key for key in keys if key not in entry]
            if missing:
                raise ValueError(
                    f'{path}: {section}[{index}] (id {entry.get("id")}) lacks {missing}; a COCO-style '
                    f'entry needs {list(keys)}'
                )


def _check_ids(path: str, coco: Any) -> None:
    """Raise where an id stands twice: the index keeps the last entry and drops the others unseen."""
    for section, index in (('images', coco.imgs), ('annotations', coco.anns)):
        entries = coco.dataset.get(section, [])
        if len(entries) != len(index):
            counts = Counter(entry['id'] for entry in entries)
            twice = [number for number, count in counts.items() if count > 1]
            raise ValueError(
                f'{path}: {len(twice)} ids of {section} stand more than once, the first: {twice[:5]}; '
                'number the entries anew'
            )
