# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Several sets in one run, matched by keypoint name."""

from typing import Any

from mmengine.logging import MMLogger
from mmpose.datasets import CombinedDataset as MMPoseCombinedDataset
from mmpose.datasets.transforms import KeypointConverter

from sapiens_common.layouts.goliath308 import goliath308_metainfo
from sapiens_pose.layouts import match_names, upstream_metainfo
from sapiens_pose.registry import DATASETS


@DATASETS.register_module()
class NameMatchedDataset(MMPoseCombinedDataset):
    """mmpose's combination of sets, where keypoints find their place by name.

    A set with other keypoints than the target's contributes the points of equal name; the others are
    unlabelled for its samples and do not enter the loss.

    Args:
        layout: Target keypoints: ``goliath``, ``coco_wholebody``, ``coco``, or a metainfo dict of yours.
        datasets: Configs of the sets; their pipelines run before ``pipeline`` and are usually empty.
        pipeline: Transforms of every sample.
        sample_ratio_factor: How often each set is used per epoch; None is once.
        **kwargs: As mmengine's ``BaseDataset``.

    Raises:
        ValueError: Unknown layout; a set shares no keypoint name with the target.
    """

    def __init__(
        self,
        layout: str | dict[str, Any],
        datasets: list[dict],
        pipeline: list[dict] | None = None,
        sample_ratio_factor: list[float] | None = None,
        **kwargs: Any,
    ) -> None:
        if isinstance(layout, str):
            layout = goliath308_metainfo() if layout == 'goliath' else upstream_metainfo(layout)
        super().__init__(layout, datasets, pipeline or [], sample_ratio_factor, **kwargs)
        target = list(self.metainfo['keypoint_id2name'].values())
        for dataset in self.datasets:
            source = list(dataset.metainfo['keypoint_id2name'].values())
            if source == target:
                continue
            pairs = match_names(source, target)
            dataset.pipeline.transforms.append(KeypointConverter(len(target), pairs))
            MMLogger.get_current_instance().info(
                f'{dataset.metainfo["dataset_name"]}: {len(pairs)} of its {len(source)} keypoints are '
                f'among the {len(target)} of this model'
            )
