# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""COCO JSON: results for evaluation, and annotations for CVAT, Label Studio and training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sapiens_common.files.boxes import PERSON_CATEGORY
from sapiens_common.layouts.goliath308 import links_among
from sapiens_inference.outputs.writers import write_image, write_json

from .registry import register_export
from .run_folder import Person, Record, RunFolder
from .writing import stem_path

VISIBLE_SCORE = 0.3
"""Points with a lower score are written as not labelled (visibility 0)."""


def category_of(names: Sequence[str]) -> dict[str, Any]:
    """COCO's category of people with these keypoints; the skeleton links the names that the 308 layout links."""
    skeleton = [[a + 1, b + 1] for a, b in links_among(tuple(names))]  # COCO counts from 1
    category: dict[str, Any] = {'id': PERSON_CATEGORY, 'name': 'person', 'supercategory': 'person'}
    return {**category, 'keypoints': list(names), 'skeleton': skeleton}


def image_entry(record: Record, number: int) -> dict[str, Any]:
    """COCO's entry of an image or frame."""
    height, width = record.size()
    if record.frame is not None:
        name = f'{record.stem}.jpg'
    else:
        name = record.name
        if record.image is not None:  # two photos of one stem have other names
            name = Path(name).with_name(record.image.name).as_posix()
    return {'id': number, 'file_name': name, 'height': height, 'width': width}


def box_xywh(person: Person) -> list[float]:
    """A person's box as COCO writes it."""
    x1, y1, x2, y2 = person.box.tolist()
    return [round(value, 3) for value in (x1, y1, x2 - x1, y2 - y1)]


def person_masks(record: Record) -> list[np.ndarray] | None:
    """A mask (H, W) per person: foreground pixels go to the box whose middle is nearest, in its own units."""
    foreground = record.array('matting')
    if foreground is not None:
        foreground = foreground[..., 3] > 127
    else:
        labels = record.array('seg')
        foreground = None if labels is None else labels > 0
    if foreground is None or not record.people:
        return None
    rows, columns = np.nonzero(foreground)
    distances = []
    for person in record.people:
        middle = (person.box[:2] + person.box[2:]) / 2
        half = np.maximum((person.box[2:] - person.box[:2]) / 2, 0.5)
        away = np.maximum(abs(columns - middle[0]) / half[0], abs(rows - middle[1]) / half[1])
        distances.append(np.where(away <= 1.1, away, np.inf))
    nearest = np.argmin(distances, axis=0)
    inside = np.isfinite(np.min(distances, axis=0))
    masks = []
    for number in range(len(record.people)):
        mask = np.zeros(foreground.shape, bool)
        chosen = inside & (nearest == number)
        mask[rows[chosen], columns[chosen]] = True
        masks.append(mask)
    return masks


def _encode(mask: np.ndarray) -> dict[str, Any]:
    """Run-length encoding as COCO's tools write it into JSON."""
    from pycocotools import mask as coco_mask

    encoded = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {'size': list(encoded['size']), 'counts': encoded['counts'].decode('ascii')}


def _annotation(person: Person, mask: np.ndarray | None) -> dict[str, Any]:
    known = np.isfinite(person.keypoints[:, 0]) & (person.scores >= VISIBLE_SCORE)
    points = np.where(known[:, None], person.keypoints, 0.0)
    flat = np.column_stack([points.round(3), 2 * known]).ravel()
    box = box_xywh(person)
    entry: dict[str, Any] = {
        'category_id': PERSON_CATEGORY,
        'bbox': box,
        'area': box[2] * box[3] if mask is None else int(mask.sum()),
        'iscrowd': 0,
        'num_keypoints': int(known.sum()),
        'keypoints': flat.tolist(),
    }
    if mask is not None:
        entry['segmentation'] = _encode(mask)
    if person.track_id is not None:
        entry['attributes'] = {'track_id': person.track_id}
    return entry


@register_export('coco', needs=('pose',))
def write_coco(run: RunFolder, out: Path) -> list[Path]:
    """COCO annotations: images, people with keypoints, skeleton and masks (``annotations.json``).

    CVAT and Label Studio import the file as skeletons, and ``sapiens_pose``'s data sets read it, also after it was
    corrected there. The frames of videos are written to ``images/`` beside it. Masks come from matting, else from body parts, where the run has them.
    """

    def describe(record: Record) -> list[dict[str, Any]]:
        people = record.people or []
        masks = person_masks(record)
        if masks is None:
            return [_annotation(person, None) for person in people]
        return [_annotation(person, mask) for person, mask in zip(people, masks, strict=True)]

    category = category_of(run.keypoint_names)
    return [write_annotations(run, out, describe, category, 'review before training')]


def write_annotations(
    run: RunFolder,
    out: Path,
    describe: Callable[[Record], list[dict[str, Any]]],
    category: dict[str, Any],
    note: str,
) -> Path:
    """Write ``annotations.json``, and the frames of videos as pictures to ``images/``.

    Args:
        run: The results.
        out: Folder.
        describe: Annotations of an image's people, without their ids.
        category: Category of the people.
        note: Said in the file's description.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, record in enumerate(run.records(), 1):
        if record.people is None:
            continue
        images.append(image_entry(record, number))
        if record.picture is not None:  # a video's frames are nowhere else
            path = stem_path(out / 'images', record.stem, '.jpg')
            write_image(path, record.picture)
        for entry in describe(record):
            annotations.append({'id': len(annotations) + 1, 'image_id': number, **entry})
    content = {
        'info': {'description': f'Keypoints inferred by Sapiens-OpenMMLab; {note}'},
        'licenses': [],
        'categories': [category],
        'images': images,
        'annotations': annotations,
    }
    return write_json(out / 'annotations.json', content)


@register_export('coco_results', needs=('pose',))
def write_coco_results(run: RunFolder, out: Path) -> list[Path]:
    """COCO results for ``COCOeval`` (``results.json``), and the ids of the images (``images.json``).

    The id of an image is its name as a number where all names are different numbers, as COCO's are, else its position. The
    score of a person is the box's score times the mean score of the points.
    """
    results, images = [], []
    stems = [Path(r.name).name if r.frame is None else '' for r in run.records(pixels=False)]
    by_name = all(stem.isdecimal() for stem in stems) and len(set(map(int, stems))) == len(stems)
    for number, record in enumerate(run.records(), 1):
        if record.people is None:
            continue
        image_id = int(stems[number - 1]) if by_name else number
        images.append({**image_entry(record, image_id), 'id': image_id})
        for person in record.people:
            known = np.isfinite(person.keypoints[:, 0])
            points = np.where(known[:, None], person.keypoints, 0.0).round(3)
            scores = np.where(known, person.scores, 0.0)
            mean = float(scores[known].mean()) if known.any() else 0.0
            results.append(
                {
                    'image_id': image_id,
                    'category_id': PERSON_CATEGORY,
                    'keypoints': np.column_stack([points, scores]).ravel().tolist(),
                    'bbox': box_xywh(person),
                    'score': person.score * mean,
                }
            )
    return [
        write_json(out / 'results.json', results),
        write_json(out / 'images.json', images),
    ]
