# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The data set and the head must agree on the classes before the first image is read."""

from typing import Any

from mmengine.hooks import Hook
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.runner import Runner

from sapiens_seg.registry import HOOKS


@HOOKS.register_module()
class ClassCheckHook(Hook):
    """Fail at the start of a loop whose data set has another number of classes than the head."""

    def before_train(self, runner: Runner) -> None:
        """Check the training data."""
        _check(runner, runner.train_dataloader, 'train')

    def before_val(self, runner: Runner) -> None:
        """Check the validation data."""
        _check(runner, runner.val_dataloader, 'val')

    def before_test(self, runner: Runner) -> None:
        """Check the test data."""
        _check(runner, runner.test_dataloader, 'test')


def _check(runner: Runner, loader: Any, split: str) -> None:
    """Compare one loader's classes with the head.

    Raises:
        ValueError: The numbers differ.
    """
    model = runner.model
    while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
        model = model.module
    classes = loader.dataset.metainfo['classes']
    if len(classes) != model.num_classes:
        raise ValueError(
            f'{split}_dataloader has {len(classes)} classes ({classes[0]} ... {classes[-1]}), '
            f'the head has num_classes={model.num_classes}; set '
            f'model.decode_head.num_classes={len(classes)} or choose the right vocabulary'
        )
