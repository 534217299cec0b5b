# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""From the pipeline's dict to what crosses the worker boundary."""

import numpy as np
from mmpose.datasets.transforms import PackPoseInputs

from sapiens_pose.registry import TRANSFORMS

from .reject import visibility


@TRANSFORMS.register_module()
class PackKeypoints(PackPoseInputs):
    """Pack a training sample as uint8 image and keypoints; the head makes the heatmaps.

    mmpose's packing, with ``gt_instance_labels`` holding float32 ``keypoints`` (1, K, 2), in pixels of the
    model's input, and ``keypoint_weights`` (1, K). Raw annotations stay behind.

    Args:
        meta_keys: Items kept as metadata of the sample.
        pack_transformed: Whether ``gt_instances`` gets the keypoints in pixels of the model's input too, which
            mmpose's browse_dataset.py draws.
    """

    label_mapping_table = {
        'transformed_keypoints': 'keypoints',
        'keypoint_weights': 'keypoint_weights',
    }

    def __init__(
        self,
        meta_keys: tuple[str, ...] = (
            'id',
            'img_id',
            'img_path',
            'ori_shape',
            'input_size',
            'input_center',
            'input_scale',
            'flip',
            'dataset_name',
        ),
        pack_transformed: bool = False,
    ) -> None:
        super().__init__(meta_keys, pack_transformed)

    def transform(self, results: dict) -> dict:
        """Pack the sample."""
        results['keypoint_weights'] = np.asarray(visibility(results), np.float32)
        results['transformed_keypoints'] = results['transformed_keypoints'].astype(np.float32)
        return super().transform(results)
