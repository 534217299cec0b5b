# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Takes out the most doubtful labels for correction in another tool, and merges the corrections back."""

from __future__ import annotations

import heapq
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sapiens_common.files.atomic import write_text_atomically
from sapiens_common.files.images import read_ids, read_image
from sapiens_common.files.members import open_file
from sapiens_common.files.text import read_json
from sapiens_common.layouts.style import goliath308_style
from sapiens_common.visualization import draw_people, parts_overlay, sheet
from sapiens_inference.outputs.exports import export_run
from sapiens_inference.outputs.exports.coco import VISIBLE_SCORE
from sapiens_inference.outputs.results import Source
from sapiens_inference.outputs.writers import write_image, write_json
from sapiens_inference.tasks import TASKS

from .dataset import CORRECTIONS, Sample, names_of, read_samples

PER_SHEET = 12
CORRECTED_SCORE = 1.0
"""Score of a point that was corrected by hand."""


def doubt(sample: Sample) -> tuple[int, float]:
    """Sort key, higher for more doubtful samples: the number of flags, then how low the keypoint score is."""
    score = sample.content['quality'].get('keypoint_score', 1.0)
    return len(sample.content['flags']), -score


def pick(manifest: str | Path, out: str | Path, count: int = 48) -> list[Path]:
    """Take out the most doubtful images, with their labels as tools/demo.py writes results.

    ``out`` gets ``images/KEY.*``, ``pose/KEY.json``, ``seg/KEY.png``, ``sheet_N.jpg`` with twelve of them drawn each, and where there are
    keypoints ``exports/coco/annotations.json``, which CVAT and Label Studio import beside the images.

    Args:
        manifest: ``manifest.json`` of a finished run.
        out: Folder to write.
        count: How many images.

    Returns:
        The sheets.

    Raises:
        ValueError: The run is not finished, or its output cannot be read.
    """
    out = Path(out)
    has_pose = _has(manifest, 'pose')
    chosen = heapq.nlargest(count, read_samples(manifest, people=has_pose), key=doubt)
    names = names_of(manifest, 'pose') if has_pose else []
    tiles = []
    for sample in chosen:
        image = out / 'images' / f'{sample.key}{sample.image.suffix}'
        image.parent.mkdir(parents=True, exist_ok=True)
        with open_file(sample.image) as file:
            image.write_bytes(file.read())
        picture = read_image(image)
        if sample.has('.seg.png'):
            labels = out / 'seg' / f'{sample.key}.png'
            labels.parent.mkdir(exist_ok=True)
            with open_file(sample.file('.seg.png')) as file:
                labels.write_bytes(file.read())
            picture = parts_overlay(picture, read_ids(labels), _PALETTE)
        if has_pose:
            (out / 'pose').mkdir(exist_ok=True)
            write_json(out / 'pose' / f'{sample.key}.json', _pose_file(sample, image, names))
            picture = _drawn(picture, sample, names)
        tiles.append((_title(sample), picture))
    sheets = []
    for start in range(0, len(tiles), PER_SHEET):
        sheets.append(out / f'sheet_{start // PER_SHEET}.jpg')
        write_image(sheets[-1], sheet(tiles[start : start + PER_SHEET], columns=4))
    if has_pose and chosen:
        export_run(out, ['coco'], images=out / 'images')
    return sheets


_PALETTE = [(0, 0, 0), *([(230, 120, 40)] * 254)]
"""What is a person, whichever part: the sheet shows whether people were found."""


def _has(manifest: str | Path, task: str) -> bool:
    try:
        names_of(manifest, task)
    except ValueError:
        return False
    return True


def _title(sample: Sample) -> str:
    quality = sample.content['quality']
    parts = [sample.key, *sample.content['flags']]
    if 'keypoint_score' in quality:
        parts.append(f'score {quality["keypoint_score"]:.2f}')
    return ', '.join(parts)


def _people(sample: Sample, names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Points (N, K, 3) and boxes (N, 4)."""
    people = sample.people or []
    points = np.array([p.keypoints for p in people]).reshape(-1, len(names), 3)
    return points, np.array([p.box for p in people]).reshape(-1, 4)


def _drawn(picture: np.ndarray, sample: Sample, names: list[str]) -> np.ndarray:
    points, boxes = _people(sample, names)
    style = goliath308_style(tuple(names))
    return draw_people(picture, points[..., :2], points[..., 2], boxes, style, VISIBLE_SCORE)


def _pose_file(sample: Sample, image: Path, names: list[str]) -> dict[str, Any]:
    """The content that tools/demo.py writes for an image."""
    points, boxes = _people(sample, names)
    size = sample.content['size']
    source = Source(sample.key, 0, str(image.resolve()), (size[0], size[1]))
    scores = np.ones(len(boxes))
    result_type = TASKS['pose'].load().result_type
    result = result_type(source, boxes, scores, 'given', points[..., :2], points[..., 2], names)
    return result.to_dict()


def merge(manifest: str | Path, corrected: str | Path) -> int:
    """Replace people of a run by corrected ones, which its data sets read from now on.

    Shards stay as they are; the corrections lie beside them in ``corrections.json``. An image of the file without
    an annotation is one without people. A later correction of an image replaces an earlier one.

    Args:
        manifest: ``manifest.json`` of a finished run.
        corrected: COCO file as CVAT or Label Studio export it, of images that :func:`pick` has named.

    Returns:
        How many images were corrected.

    Raises:
        ValueError: It is not such a file, names images that the run does not have, or other keypoints.
    """
    content = read_json(corrected)
    names = names_of(manifest, 'pose')
    try:
        found = next(c['keypoints'] for c in content['categories'] if c.get('keypoints'))
        images = {image['id']: Path(image['file_name']).stem for image in content['images']}
        people: dict[str, list[dict[str, Any]]] = {key: [] for key in images.values()}
        for annotation in content['annotations']:
            people[images[annotation['image_id']]].append(_person(annotation, len(names)))
    except (KeyError, TypeError, AttributeError, StopIteration) as error:
        raise ValueError(
            f'{corrected}: expected a COCO file of people with keypoints ({error!r})'
        ) from error
    if found != names:
        raise ValueError(
            f'{corrected}: its keypoints are not the {len(names)} of the run, in order'
        )
    unknown = people.keys() - {sample.key for sample in read_samples(manifest)}
    if unknown:
        raise ValueError(f'{corrected}: {sorted(unknown)[0]!r} is not an image of {manifest}')
    path = Path(manifest).parent / CORRECTIONS
    before = read_json(path) if path.is_file() else {}
    write_text_atomically(path, json.dumps({**before, **people}))
    return len(people)


def _person(annotation: Mapping[str, Any], count: int) -> dict[str, Any]:
    points = np.array(annotation['keypoints'], np.float64)
    if points.size != 3 * count:
        raise ValueError(
            f'annotation {annotation.get("id")}: expected {count} x 3 values in keypoints, got {points.size}'
        )
    points = points.reshape(-1, 3)
    points[:, 2] = np.where(points[:, 2] > 0, CORRECTED_SCORE, 0.0)
    x, y, width, height = (float(value) for value in annotation['bbox'])
    return {'box': [x, y, x + width, y + height], 'keypoints': points.ravel().tolist()}
