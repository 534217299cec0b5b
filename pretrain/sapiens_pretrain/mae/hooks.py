# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Hooks that write what a person looks at while pretraining runs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from sapiens_pretrain.registry import HOOKS

from .pictures import draw_reconstructions

_COLUMNS = (
    ('train/loss', 'loss'),
    ('train/lr', 'learning rate'),
    ('train/grad_norm', 'gradient norm'),
)


@HOOKS.register_module()
class ReconstructionHook(Hook):
    """Write ``reconstructions/iter_N.png``: original, masked and reconstructed training images.

    Args:
        interval: Iterations between pictures.
        num_images: Images per picture, of the current batch of the main process.
        ratios: Mask ratios, a pair of columns each.
    """

    priority = 'LOW'

    def __init__(
        self, interval: int = 500, num_images: int = 4, ratios: Sequence[float] = (0.75, 0.95)
    ) -> None:
        self.interval = interval
        self.num_images = num_images
        self.ratios = ratios

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Draw, if it is time. All ranks run the model, as sharded parameters need them all."""
        if not self.every_n_train_iters(runner, self.interval):
            return
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        with torch.no_grad(), runner.optim_wrapper.optim_context(runner.model):
            batch = {'inputs': data_batch['inputs'][: self.num_images], 'data_samples': None}
            images = model.data_preprocessor(batch, False)['inputs']
            picture = draw_reconstructions(model, images, self.ratios)
        if is_main_process():
            path = Path(runner.work_dir, 'reconstructions', f'iter_{runner.iter + 1}.png')
            path.parent.mkdir(exist_ok=True)
            cv2.imwrite(str(path), picture)


@HOOKS.register_module()
class TrainingCurveHook(Hook):
    """Keep ``curve.png`` up to date: loss, learning rate and gradient norm over the iterations.

    The values are those of the log, so a resumed run continues its curve.

    Args:
        interval: Iterations between redraws; the last iteration always redraws.
    """

    priority = 'VERY_LOW'

    def __init__(self, interval: int = 500) -> None:
        self.interval = interval

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Redraw, if it is time."""
        due = self.every_n_train_iters(runner, self.interval) or runner.iter + 1 == runner.max_iters
        if due and is_main_process():
            self.draw(runner)

    @staticmethod
    def draw(runner: Runner) -> None:
        """Write the plot."""
        from matplotlib.figure import Figure  # slow to import; no global state, unlike pyplot

        history = runner.message_hub.log_scalars
        found = [(history[key].data[0], title) for key, title in _COLUMNS if key in history]
        figure = Figure(figsize=(7, 2.4 * len(found)), layout='constrained')
        for row, (values, title) in enumerate(found):
            axes = figure.add_subplot(len(found), 1, row + 1)
            first = runner.iter + 2 - len(values)
            axes.plot(range(first, first + len(values)), values, linewidth=0.8)
            axes.set(title=title, xlabel='iteration' if row == len(found) - 1 else None)
            axes.grid(alpha=0.3)
        figure.savefig(Path(runner.work_dir) / 'curve.png', dpi=100)
