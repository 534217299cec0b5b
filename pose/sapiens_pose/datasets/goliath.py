# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""308-keypoint annotations in the three JSON forms people have them in."""

from typing import Any

import numpy as np
from mmengine.logging import MMLogger

from sapiens_common.layouts.goliath308 import NUM_RAW_KEYPOINTS, drop_teeth, goliath308_metainfo
from sapiens_pose.registry import DATASETS

from .checks import CheckedCocoStyleDataset, find_box_problem, find_keypoint_problem

NUM_KEYPOINTS = 308
HUMANS5K_KEY = 'goliath_wholebody_kpts'


def find_goliath_problem(annotation: dict[str, Any]) -> str | None:
    """What is wrong with the 308 keypoints of an annotation in any of the three forms, or None."""
    if HUMANS5K_KEY in annotation:
        return find_keypoint_problem(annotation, HUMANS5K_KEY, (NUM_KEYPOINTS,))
    return find_keypoint_problem(annotation, 'keypoints', (NUM_KEYPOINTS, NUM_RAW_KEYPOINTS))


def read_goliath_keypoints(annotation: dict[str, Any]) -> np.ndarray:
    """The 308 keypoints of an annotation as float32 (308, 3): x, y in pixels, visibility.

    Forms: ``goliath_wholebody_kpts`` of 308 x 3 (Humans-5K, where ``keypoints`` is a copy of the body);
    ``keypoints`` of 308 x 3; ``keypoints`` of 344 x 3, the raw order with 36 teeth, which are dropped.

    Raises:
        ValueError: None of the three.
    """
    problem = find_goliath_problem(annotation)
    if problem:
        raise ValueError(f'annotation {annotation.get("id")}: {problem}')
    values = annotation.get(HUMANS5K_KEY, annotation.get('keypoints'))
    points = np.asarray(values, np.float32).reshape(-1, 3)
    return points if len(points) == NUM_KEYPOINTS else drop_teeth(points)


@DATASETS.register_module()
class GoliathDataset(CheckedCocoStyleDataset):
    """People with 308 keypoints, for training and evaluation.

    Reads the forms of :func:`read_goliath_keypoints`. In training (``test_mode=False``) the reference's
    sample rules apply: points on or beyond the image border count as unlabelled, the box is the tight
    one around the labelled points, people with fewer than ``min_keypoints`` of them are left out, and
    greyscale images are replaced by another sample. In evaluation the annotated boxes are used, clipped
    to the image.

    Args:
        min_keypoints: Labelled points a training sample needs.
        tight_boxes: Whether training makes its own boxes around the labelled points; else it takes the
            annotated ones, which of a half hidden person hold only what is seen, as a detector's do.
        **kwargs: As mmpose's ``BaseCocoStyleDataset``: ``ann_file``, ``data_root``, ``data_prefix``, ...
    """

    METAINFO = goliath308_metainfo()

    def __init__(
        self, *args: Any, min_keypoints: int = 8, tight_boxes: bool = True, **kwargs: Any
    ) -> None:
        self.min_keypoints = min_keypoints
        self.tight_boxes = tight_boxes
        super().__init__(*args, **kwargs)

    @classmethod
    def _load_metainfo(cls, metainfo: dict | None = None) -> dict:
        """The layout.

        Raises:
            ValueError: It has another number of points.
        """
        found = super()._load_metainfo(metainfo)
        if found['num_keypoints'] != NUM_KEYPOINTS:
            raise ValueError(
                f'GoliathDataset reads {NUM_KEYPOINTS} keypoints, the metainfo has {found["num_keypoints"]}; for '
                "points of your own take dataset type='sapiens_pose.CheckedCocoDataset' and "
                "val_evaluator=dict(_delete_=True, type='sapiens_pose.CompletedCocoMetric')"
            )
        return found

    def load_data_list(self) -> list[dict]:
        """Sample list; says how many people were left out for too few points."""
        self._num_short = 0
        samples = super().load_data_list()
        if self._num_short:
            MMLogger.get_current_instance().info(
                f'{self.ann_file}: {len(samples)} people used, {self._num_short} left out with fewer '
                f'than {self.min_keypoints} labelled keypoints inside the image'
            )
        return samples

    def find_problem(self, annotation: dict[str, Any], image: dict[str, Any]) -> str | None:
        """What is wrong with an annotation, or None; training makes its own boxes."""
        problem = find_goliath_problem(annotation)
        if problem or (self.tight_boxes and not self.test_mode):
            return problem
        return find_box_problem(annotation, image)

    def complete(self, annotation: dict[str, Any], image: dict[str, Any]) -> dict[str, Any]:
        """The annotation with its 308 points under ``keypoints``, and in training the box around them."""
        points = read_goliath_keypoints(annotation)
        completed = {key: value for key, value in annotation.items() if key != HUMANS5K_KEY}
        if not self.test_mode:
            points[_outside(points, image), 2] = 0
            labelled = points[points[:, 2] > 0, :2]
            if len(labelled) < max(self.min_keypoints, 1):
                self._num_short += 1
                return {'num_keypoints': 0}
            if self.tight_boxes:
                low, high = labelled.min(axis=0), labelled.max(axis=0)
                completed['bbox'] = [*low.tolist(), *(high - low).tolist()]
        completed['keypoints'] = points.ravel().tolist()
        completed['num_keypoints'] = int((points[:, 2] > 0).sum())
        return completed

    def parse_data_info(self, raw_data_info: dict) -> dict | None:
        """One sample, the text of its error, or None if it is left out."""
        sample = super().parse_data_info(raw_data_info)
        if sample is not None:
            # 308 points in nested lists of floats; the metric reads the file instead.
            sample.pop('raw_ann_info', None)
        return sample

    def prepare_data(self, idx: int) -> dict | None:
        """The sample after the pipeline, or None, for which another one is fetched."""
        self.full_init()
        data_info = self.get_data_info(idx)
        if not self.test_mode:
            data_info['reject_greyscale'] = True  # LoadPersonImage and DecodeTopdownAffine heed it
        data_info['dataset'] = self
        return self.pipeline(data_info)


def _outside(points: np.ndarray, image: dict[str, Any]) -> np.ndarray:
    """Which of the points (K, 3) lie on or beyond the image border."""
    x, y = points[:, 0], points[:, 1]
    return (x <= 0) | (y <= 0) | (x >= image['width']) | (y >= image['height'])
