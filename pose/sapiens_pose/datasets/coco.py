# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""COCO (17 keypoints) and COCO-WholeBody (133): mmpose's readers, with errors that name the item."""

from typing import Any

import numpy as np
from mmpose.datasets.datasets.body import CocoDataset as MMPoseCocoDataset
from mmpose.datasets.datasets.wholebody import CocoWholeBodyDataset as MMPoseCocoWholeBodyDataset

from sapiens_pose.layouts import upstream_metainfo
from sapiens_pose.registry import DATASETS

from .checks import CheckedCocoStyleDataset


@DATASETS.register_module()
class CheckedCocoDataset(CheckedCocoStyleDataset, MMPoseCocoDataset):
    """COCO's 17 person keypoints, or with ``metainfo`` a user's own points in COCO's JSON.

    Arguments as upstream's.
    """

    METAINFO = upstream_metainfo('coco')


@DATASETS.register_module()
class CheckedCocoWholeBodyDataset(CheckedCocoStyleDataset, MMPoseCocoWholeBodyDataset):
    """COCO-WholeBody: 133 points in five keys of an annotation; arguments as upstream's."""

    METAINFO = upstream_metainfo('coco_wholebody')
    KEYPOINT_KEYS = {
        'keypoints': 17,
        'foot_kpts': 6,
        'face_kpts': 68,
        'lefthand_kpts': 21,
        'righthand_kpts': 21,
    }

    def complete(self, annotation: dict[str, Any], image: dict[str, Any]) -> dict[str, Any]:
        """The annotation with the keys that upstream reads and no step of a pipeline uses."""
        labelled = int((np.ravel(annotation['keypoints'])[2::3] > 0).sum())
        return {'iscrowd': 0, 'segmentation': None, 'num_keypoints': labelled, **annotation}

    def parse_data_info(self, raw_data_info: dict) -> dict | None:
        """One sample, the text of its error, or None if it is left out."""
        sample = super().parse_data_info(raw_data_info)
        if sample is not None:
            # Upstream says None there, which its KeypointConverter takes for points.
            sample.pop('keypoints_3d', None)
        return sample
