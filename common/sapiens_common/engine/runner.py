# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The runner that all recipes name: mmengine's, with strict loading and CPU data parallelism."""

from collections.abc import Callable
from typing import Any

import torch
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn

from sapiens_common.checkpoint import load_state_dict_strict, read_checkpoint
from sapiens_common.registry import RUNNERS


@RUNNERS.register_module()
class SapiensRunner(Runner):
    """mmengine's runner with two differences.

    ``load_checkpoint`` (for ``load_from``, tools/test.py and resume) is strict and accepts every file
    form of :mod:`sapiens_common.checkpoint`; and a distributed run works without a GPU.
    """

    def load_checkpoint(
        self,
        filename: str,
        map_location: str | Callable = 'cpu',
        strict: bool = True,
        revise_keys: list | None = None,
    ) -> dict[str, Any]:
        """Load a checkpoint strictly.

        Raises:
            ValueError: The file cannot be read or does not fit the model.
        """
        content = read_checkpoint(filename)
        model = self.model.module if is_model_wrapper(self.model) else self.model
        checkpoint = {'state_dict': content.state_dict, 'meta': content.meta, **content.training}
        self.call_hook('after_load_checkpoint', checkpoint=checkpoint)
        load_state_dict_strict(model, checkpoint['state_dict'], str(filename))
        self._has_loaded = True
        return checkpoint

    def wrap_model(self, model_wrapper_cfg: dict | None, model: nn.Module) -> nn.Module:
        """Wrap for data parallelism; without a GPU mmengine would still pass a device id."""
        if model_wrapper_cfg is None and self.distributed and not torch.cuda.is_available():
            model_wrapper_cfg = {
                'type': 'MMDistributedDataParallel',
                'find_unused_parameters': self.cfg.get('find_unused_parameters', False),
            }
        return super().wrap_model(model_wrapper_cfg, model)
