# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Data, head and metric must agree on the keypoints before the first image is read."""

from typing import Any

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmpose.evaluation.metrics import CocoMetric

from sapiens_pose.datasets.goliath import NUM_KEYPOINTS
from sapiens_pose.evaluation.completed_coco import CompletedCocoMetric
from sapiens_pose.registry import HOOKS


@HOOKS.register_module()
class KeypointCheckHook(Hook):
    """Fail at the start of a run whose data has other keypoints than the head, or than the metric knows."""

    def before_train(self, runner: Runner) -> None:
        """Check training and validation."""
        check_keypoints(runner.model, runner.train_dataloader.dataset, 'train')
        if runner.val_loop is not None:
            self._check_loop(runner, runner.val_loop, 'val')

    def before_test(self, runner: Runner) -> None:
        """Check the test."""
        self._check_loop(runner, runner.test_loop, 'test')

    @staticmethod
    def _check_loop(runner: Runner, loop: Any, split: str) -> None:
        count = check_keypoints(runner.model, loop.dataloader.dataset, split)
        for metric in loop.evaluator.metrics:
            if count == NUM_KEYPOINTS and type(metric) in (CocoMetric, CompletedCocoMetric):
                raise ValueError(
                    f'{split}_evaluator: CocoMetric cannot evaluate {NUM_KEYPOINTS} keypoints; use '
                    "dict(type='sapiens_pose.Humans5KMetric')"
                )


def check_keypoints(model: Any, dataset: Any, split: str) -> int | None:
    """Compare the keypoints of a data set with those of the head.

    Returns:
        Their number; None if the data set does not say.

    Raises:
        ValueError: The numbers differ.
    """
    while is_model_wrapper(model):
        model = model.module
    count = dataset.metainfo.get('num_keypoints')
    channels = getattr(getattr(model, 'head', None), 'out_channels', None)
    if isinstance(channels, int) and count is not None and count != channels:
        raise ValueError(
            f'{split}_dataloader has {count} keypoints, the head out_channels={channels}; set '
            f'model.head.out_channels={count}, or choose the right data'
        )
    return count
