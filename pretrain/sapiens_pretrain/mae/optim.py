# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Parameter groups of masked pretraining."""

from typing import Any

from mmengine.logging import MMLogger
from mmengine.optim import DefaultOptimWrapperConstructor
from torch import nn

from sapiens_pretrain.registry import OPTIM_WRAPPER_CONSTRUCTORS


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class NoDecayOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """Two groups: with weight decay, and without.

    mmengine's ``custom_keys`` make one group per parameter, and a fused optimizer then launches one
    kernel per parameter. ``paramwise_cfg`` takes ``no_decay`` alone: parts of names, one of which makes
    a parameter exempt.

    Raises:
        ValueError: ``paramwise_cfg`` has other keys, or a part that occurs in no name.
    """

    def add_params(self, params: list[dict], module: nn.Module, **kwargs: Any) -> None:
        """Append the groups to ``params``."""
        if set(self.paramwise_cfg) != {'no_decay'}:
            raise ValueError(
                f"paramwise_cfg takes 'no_decay' and nothing else: {self.paramwise_cfg}"
            )
        parts = self.paramwise_cfg['no_decay']
        named = [(name, p) for name, p in module.named_parameters()]
        unused = [part for part in parts if not any(part in name for name, _ in named)]
        if unused:
            raise ValueError(f'no_decay: no parameter has {unused} in its name; fix the spelling')
        exempt = [p for n, p in named if p.requires_grad and any(part in n for part in parts)]
        others = [p for n, p in named if p.requires_grad and not any(part in n for part in parts)]
        params.append({'params': others, 'group_name': 'decay'})
        params.append({'params': exempt, 'group_name': 'no_decay', 'weight_decay': 0.0})
        MMLogger.get_current_instance().info(
            f'{len(others)} tensors with weight decay {self.base_wd}, {len(exempt)} without'
        )
