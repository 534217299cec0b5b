# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Annotations that cannot be used: found when the file is read, raised when the sample is asked for."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import MMLogger
from mmpose.datasets.datasets.base import BaseCocoStyleDataset

from sapiens_common.files.text import read_json
from sapiens_inference.annotate.dataset import Person, check_names, is_manifest, read_samples
from sapiens_inference.outputs.exports.coco import VISIBLE_SCORE
from sapiens_pose.datasets.paths import leaves_root

# Without these an annotation or image entry cannot even be indexed.
_ENTRY_KEYS: dict[str, dict[str, type]] = {
    'images': {'id': int, 'file_name': str, 'width': object, 'height': object},
    'annotations': {'id': int, 'image_id': int, 'category_id': object},
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
            ValueError: A file does not exist, is not what its format asks for, or leaves no sample.
        """
        for path in (self.ann_file, self.bbox_file):
            if path and not Path(path).is_file():
                raise ValueError(
                    f'annotation file {path} does not exist; set data_root, ann_file or bbox_file of '
                    'the dataset (bbox_file=None evaluates on the annotated boxes)'
                )
        samples = super().load_data_list()
        if not samples:
            raise ValueError(
                f'{self.bbox_file or self.ann_file}: no person to read; all entries are crowds, without '
                'a labelled point, or of images that are not listed'
            )
        return samples

    def _load_annotations(self) -> tuple[list[dict], list[dict]]:
        """Upstream's entries; the index is there only until its caller returns."""
        if is_manifest(self.ann_file):
            return self._annotated()
        try:
            entries = super()._load_annotations()
        # Whatever json, the COCO API or upstream's loop meet in a malformed file.
        except Exception as error:
            raise _explained(self.ann_file, error) from error
        problem = _find_file_problem(self.coco.dataset)
        if problem:
            raise ValueError(f'{self.ann_file}: {problem}')
        _check_ids(self.ann_file, self.coco)
        return entries

    def _annotated(self) -> tuple[list[dict], list[dict]]:
        """Entries of labels that a model has made (``manifest.json`` of tools/annotate.py)."""
        layout = self._metainfo['keypoint_id2name']
        check_names(self.ann_file, 'pose', [layout[i] for i in range(len(layout))])
        instances: list[dict] = []
        images: list[dict] = []
        for number, sample in enumerate(read_samples(self.ann_file, people=True)):
            height, width = sample.content['size']
            image = {
                'id': number,
                'img_id': number,
                'file_name': sample.key,
                'img_path': str(sample.image),
                'height': height,
                'width': width,
            }
            images.append(image)
            for person in sample.people or []:
                annotation = self._annotation(len(instances), number, person)
                entry = {'raw_ann_info': annotation, 'raw_img_info': image}
                instance = self.parse_data_info(entry)
                if instance:
                    instances.append(instance)
        return instances, images

    def _annotation(self, number: int, image: int, person: Person) -> dict[str, Any]:
        """A person as an entry of a COCO file; points with low scores are not labelled."""
        known = person.keypoints[:, 2] >= VISIBLE_SCORE  # not so of NaN
        points = np.where(known[:, None], person.keypoints, 0)
        points[:, 2] = 2 * known
        counts = self.KEYPOINT_KEYS or {'keypoints': len(points)}
        parts = np.split(points, np.cumsum(list(counts.values()))[:-1])
        x1, y1, x2, y2 = person.box
        return {
            'id': number,
            'image_id': image,
            'category_id': 1,
            'iscrowd': 0,
            'bbox': [x1, y1, x2 - x1, y2 - y1],
            'area': (x2 - x1) * (y2 - y1),
            'num_keypoints': int(known.sum()),
            **{key: part.ravel().tolist() for key, part in zip(counts, parts, strict=True)},
        }

    def _load_detection_results(self) -> list[dict]:
        """Upstream's entries of ``bbox_file``; a box that makes no sense is kept as its error."""
        _check_detections(self.bbox_file)
        try:
            samples = super()._load_detection_results()
        except KeyError as error:  # of loadImgs: everything else was looked at above
            raise ValueError(
                f'{self.bbox_file}: image {error} is not in {self.ann_file}; take the box file of the '
                'same images'
            ) from error
        except Exception as error:
            raise _explained(self.ann_file, error) from error
        for number, sample in enumerate(samples):
            x1, y1, x2, y2 = sample['bbox'][0]
            if not (np.isfinite(sample['bbox']).all() and x2 >= x1 and y2 >= y1):
                where = f'{self.bbox_file}: a box of image {sample["img_id"]}'
                box = [float(value) for value in (x1, y1, x2 - x1, y2 - y1)]
                samples[number] = {
                    'id': sample['id'],
                    'bbox_score': sample['bbox_score'],
                    'error': f'{where}: expected finite x, y, width, height, got {box}',
                }
        return samples

    def parse_data_info(self, raw_data_info: dict) -> dict | None:
        """One sample, the text of its error, or None for an annotation that is left out by rule."""
        annotation, image = raw_data_info['raw_ann_info'], raw_data_info['raw_img_info']
        if annotation.get('iscrowd') or annotation.get('num_keypoints') == 0:
            return None
        try:
            problem = find_path_problem(image) or self.find_problem(annotation, image)
            if not problem:
                completed = self.complete(annotation, image)
                if completed.get('num_keypoints') == 0:
                    return None
                sample = super().parse_data_info({**raw_data_info, 'raw_ann_info': completed})
                return sample and {**sample, 'listed_shape': (image['height'], image['width'])}
        # Text where numbers belong, a list where one number does, ...
        except (TypeError, ValueError, OverflowError) as error:
            problem = f'a value of the wrong kind ({error})'
        where = f'{self.ann_file}: annotation {annotation["id"]} of {image["file_name"]}'
        return {'id': annotation['id'], 'error': f'{where}: {problem}'}

    def complete(self, annotation: dict[str, Any], image: dict[str, Any]) -> dict[str, Any]:
        """A good annotation as upstream reads it; with ``num_keypoints`` of 0 it is left out."""
        return annotation

    def find_problem(self, annotation: dict[str, Any], image: dict[str, Any]) -> str | None:
        """What is wrong with an annotation, or None."""
        problem = find_box_problem(annotation, image)
        counts = self.KEYPOINT_KEYS or {'keypoints': self._metainfo['num_keypoints']}
        for key, count in counts.items():
            problem = problem or find_keypoint_problem(annotation, key, (count,))
        return problem

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


def _explained(path: str, error: Exception) -> ValueError:
    """An error that says what is wrong with an annotation file, as far as it can be told."""
    try:
        problem = _find_file_problem(read_json(path))
    except ValueError as unreadable:
        return unreadable
    return ValueError(f'{path}: {problem or f"{type(error).__name__}: {error}"}')


def _find_file_problem(content: Any) -> str | None:
    """What keeps a file from being indexed as COCO-style annotations, or None."""
    if not isinstance(content, dict):
        return f'expected an object with "images" and "annotations", got a {type(content).__name__}'
    for section, keys in _ENTRY_KEYS.items():
        entries = content.get(section)
        if not isinstance(entries, list):
            return f'expected a list "{section}", got a {type(entries).__name__}'
        for index, entry in enumerate(entries):
            if not isinstance(entry, dict):
                return f'{section}[{index}]: expected an object, got {entry!r:.60}'
            missing = [key for key in keys if key not in entry]
            if missing:
                return (
                    f'{section}[{index}] (id {entry.get("id")}) lacks {missing}; a COCO-style '
                    f'entry needs {list(keys)}'
                )
            for key, kind in keys.items():
                if not isinstance(entry[key], kind):
                    wanted = 'text' if kind is str else 'a number'
                    return (
                        f'{section}[{index}]: expected {wanted} as {key!r}, got {entry[key]!r:.60}'
                    )
    return None


def _check_detections(path: str) -> None:
    """Check a file of detected boxes.

    Raises:
        ValueError: It is not a list of boxes with image and score.
    """
    content = read_json(path)
    if not isinstance(content, list) or not all(isinstance(entry, dict) for entry in content):
        raise ValueError(
            f'{path}: expected a list of detections (image_id, category_id, bbox, score)'
        )
    for index, entry in enumerate(content):
        box, score = entry.get('bbox'), entry.get('score')
        good = isinstance(box, list) and len(box) >= 4 and isinstance(score, int | float)
        good = good and all(isinstance(value, int | float) for value in box)
        if not good or 'image_id' not in entry or 'category_id' not in entry:
            raise ValueError(
                f'{path}: detection {index} is {entry!r:.120}; expected image_id, category_id, a bbox of '
                'x, y, width, height, and a score'
            )


def _check_ids(path: str, coco: Any) -> None:
    """Check what upstream would drop without a word.

    Raises:
        ValueError: An id stands twice.
    """
    for section, index in (('images', coco.imgs), ('annotations', coco.anns)):
        entries = coco.dataset[section]
        if len(entries) != len(index):
            counts = Counter(entry['id'] for entry in entries)
            twice = [number for number, count in counts.items() if count > 1]
            raise ValueError(
                f'{path}: {len(twice)} ids of {section} stand more than once, the first: {twice[:5]}; '
                'number the entries anew'
            )
    lost = [number for number, entry in coco.anns.items() if entry['image_id'] not in coco.imgs]
    if lost:
        MMLogger.get_current_instance().warning(
            f'{path}: {len(lost)} of {len(coco.anns)} annotations are left out, their image_id is not '
            f'among the images, the first: {lost[:5]}'
        )
