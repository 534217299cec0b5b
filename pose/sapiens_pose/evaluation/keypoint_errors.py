# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""How far off every single keypoint is, which an average precision does not say."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger

from sapiens_inference.engine.tracking import box_iou
from sapiens_pose.datasets.goliath import read_goliath_keypoints
from sapiens_pose.registry import DATASETS

THRESHOLDS = (0.05, 0.1, 0.2)
SAME_PERSON = 0.5  # IoU of a detector's box with the annotated one, as COCO counts a box as found


@dataclass
class People:
    """Annotated people of a data set.

    ``points`` (N, K, 2) and ``boxes`` (N, 4), xyxy, in pixels of the photo; ``flags`` (N, K) are COCO's: 0 not
    labelled, 1 hidden, 2 visible. ``ids`` and ``images`` are those of the annotations; ``names`` has K entries.
    """

    names: list[str]
    points: np.ndarray
    flags: np.ndarray
    boxes: np.ndarray
    ids: list[int]
    images: list[Any]
    paths: list[str]

    @property
    def sides(self) -> np.ndarray:
        """Longer side of every box (N,), in pixels."""
        return (self.boxes[:, 2:] - self.boxes[:, :2]).max(axis=1)


def annotated_people(dataset: BaseDataset, config: dict[str, Any]) -> People:
    """People of a top-down data set.

    Args:
        dataset: It, as built.
        config: What it was built from; where ``dataset`` lists a detector's boxes, it is built again with
            annotated ones.
    """
    if getattr(dataset, 'bbox_file', None):
        dataset = DATASETS.build({**config, 'bbox_file': None, 'pipeline': []})
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    points = [np.asarray(info['keypoints'], np.float32)[0] for info in infos]
    return People(
        list(dataset.metainfo['keypoint_id2name'].values()),
        np.stack(points),
        np.stack([_flags(info, len(found)) for info, found in zip(infos, points, strict=True)]),
        np.stack([np.asarray(info['bbox'], np.float32)[0] for info in infos]),
        [info['id'] for info in infos],
        [info['img_id'] for info in infos],
        [info['img_path'] for info in infos],
    )


def _flags(info: dict[str, Any], count: int) -> np.ndarray:
    raw = info.get('raw_ann_info') or {}
    if len(raw.get('keypoints', ())) == 3 * count:
        return np.reshape(raw['keypoints'], (count, 3))[:, 2]
    if 'goliath_wholebody_kpts' in raw:
        return read_goliath_keypoints(raw)[:, 2]
    visible = np.asarray(info['keypoints_visible'])[0]
    return 2 * (visible if visible.ndim == 1 else visible[:, 0])


class KeypointErrorMetric(BaseMetric):
    """Error of every keypoint, of visible and of hidden points.

    A prediction in an annotated box belongs to its annotation. One in a detector's box belongs to the free person
    of its image whose box overlaps it most, by an IoU of at least 0.5; the higher score chooses first.

    After ``evaluate``, ``found`` (N, K, 2) has the predicted points of every person, NaN for people without
    any, and ``reports['keypoints']`` a row per keypoint, see :func:`keypoint_rows`. The worst are logged.

    Args:
        people: The annotated people.
        detected: Whether the predictions are of a detector's boxes.
    """

    default_prefix = 'keypoints'

    def __init__(self, people: People, detected: bool = False) -> None:
        super().__init__()
        self.people = people
        self.detected = detected
        self.reports: dict[str, list[dict[str, Any]]] = {}

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the predicted points of a batch, and what assigns them."""
        for sample in data_samples:
            found = sample['pred_instances']
            points = np.asarray(found['keypoints'][0], np.float32)
            score = float(np.ravel(found.get('bbox_scores', 1.0))[0])
            key = (
                (sample['img_id'], np.asarray(found['bboxes'][0]))
                if self.detected
                else sample['id']
            )
            self.results.append((key, score, points))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Assign the predictions, make the table, and log its worst rows."""
        people = self.people
        self.found = np.full(people.points.shape, np.nan, np.float32)
        rows = {key: row for row, key in enumerate(people.ids)}
        if self.detected:
            self._assign(results)
        else:
            for key, _, points in results:
                self.found[rows[key]] = points
        errors = labelled_errors(people, self.found)
        table = self.reports['keypoints'] = keypoint_rows(people, errors)
        met = int(np.isfinite(self.found[:, 0, 0]).sum())
        known = errors[np.isfinite(errors)] if met else np.zeros(0)
        worst = sorted((row for row in table if row['count']), key=lambda row: row['pck@0.1'])[:10]
        lines = ''.join(
            f'\n  {row["keypoint"]}: {row["pck@0.1"]:.1%} of {row["count"]}' for row in worst
        )
        MMLogger.get_current_instance().info(
            f'keypoints of {met} of {len(people.ids)} annotated people; the worst, by the share of points '
            f"within a tenth of the box's longer side:{lines}"
        )
        return {'mean_px': float(known.mean()) if len(known) else float('nan')}

    def _assign(self, results: list) -> None:
        """Give the predictions of detected boxes to the annotated people."""
        by_image: dict[Any, list[int]] = {}
        for row, image in enumerate(self.people.images):
            by_image.setdefault(image, []).append(row)
        for (image, box), _, points in sorted(results, key=lambda result: -result[1]):
            free = by_image.get(image, [])
            overlaps = box_iou(box[None], self.people.boxes[free])[0]
            if len(free) and overlaps.max() >= SAME_PERSON:
                self.found[free.pop(int(overlaps.argmax()))] = points


def labelled_errors(people: People, found: np.ndarray) -> np.ndarray:
    """Distances (N, K) of predicted points (N, K, 2) in pixels; NaN without a label or a prediction."""
    errors = np.linalg.norm(found - people.points, axis=2)
    return np.where(people.flags > 0, errors, np.nan)


def keypoint_rows(people: People, errors: np.ndarray) -> list[dict[str, Any]]:
    """A row per keypoint.

    Args:
        people: The annotated people.
        errors: (N, K) in pixels, NaN where there is nothing to measure.

    Returns:
        Rows with ``keypoint``, ``count``; ``mean_px``, ``median_px``; ``pck@T``, the share within T times the longer
        side of the box; counts of ``visible`` and ``hidden`` points with their mean error in units of that side
        (``visible_error``, ``hidden_error``). None where there is nothing to measure.
    """
    shares = errors / people.sides[:, None]
    rows = []
    for column, name in enumerate(people.names):
        known = np.isfinite(errors[:, column])
        pixels, relative = errors[known, column], shares[known, column]
        row: dict[str, Any] = {'keypoint': name, 'count': int(known.sum())}
        row['mean_px'] = _rounded(pixels, 3)
        row['median_px'] = round(float(np.median(pixels)), 3) if known.any() else None
        row |= {f'pck@{limit}': _rounded(relative <= limit) for limit in THRESHOLDS}
        for kind, flag in (('visible', 2), ('hidden', 1)):
            chosen = shares[known & (people.flags[:, column] == flag), column]
            row |= {kind: len(chosen), f'{kind}_error': _rounded(chosen)}
        rows.append(row)
    return rows


def _rounded(values: np.ndarray, digits: int = 4) -> float | None:
    return round(float(np.mean(values)), digits) if len(values) else None
