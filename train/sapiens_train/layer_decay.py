# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Layer-wise learning-rate decay for any model whose backbone tells its layers' depth.

Reference: Bao et al., "BEiT", ICLR 2022 (the scheme); the no-decay rules are those the published
Sapiens weights were fine-tuned with.
"""

from typing import Any

from mmengine.logging import MMLogger
from mmengine.optim import DefaultOptimWrapperConstructor
from torch import nn

from sapiens_common.checkpoint import strip_wrappers

from .registry import OPTIM_WRAPPER_CONSTRUCTORS


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class LayerwiseDecayConstructor(DefaultOptimWrapperConstructor):
    """Scale the learning rate of depth d out of n by ``layer_decay_rate ** (n - 1 - d)``.

    Depths come from ``get_layer_depth(name, prefix)`` of the model's backbone (mmpretrain's
    convention), so no layer count stands in a config. Parameters of at most one dimension, biases
    and position tables are not decayed. ``paramwise_cfg`` takes ``layer_decay_rate`` alone.

    Raises:
        ValueError: Another key in ``paramwise_cfg``, no learning rate of the optimizer, or no module with
            ``get_layer_depth``.
    """

    def __init__(self, optim_wrapper_cfg: dict, paramwise_cfg: dict | None = None) -> None:
        super().__init__(optim_wrapper_cfg, paramwise_cfg)
        if list(self.paramwise_cfg) != ['layer_decay_rate']:
            raise ValueError(
                f"paramwise_cfg takes 'layer_decay_rate' and nothing else, got {paramwise_cfg}"
            )
        if self.base_lr is None:
            raise ValueError(
                'layer decay scales the learning rate of the optimizer, which has none: set '
                'optim_wrapper.optimizer.lr'
            )

    def add_params(self, params: list[dict], module: nn.Module, **kwargs: Any) -> None:
        """Append one group per depth and decay kind to ``params``."""
        rate = self.paramwise_cfg['layer_decay_rate']
        prefix, backbone = _find_backbone(module)
        groups: dict[str, dict] = {}
        for full_name, parameter in module.named_parameters():
            if not parameter.requires_grad:
                continue
            name = strip_wrappers(full_name)
            depth, num_depths = backbone.get_layer_depth(name, prefix)
            no_decay = parameter.ndim <= 1 or name.endswith('.bias') or 'pos_embed' in name
            group_name = f'layer_{depth}_{"no_decay" if no_decay else "decay"}'
            if group_name not in groups:
                scale = rate ** (num_depths - 1 - depth)
                groups[group_name] = {
                    'params': [],
                    'param_names': [],
                    'group_name': group_name,
                    'lr': self.base_lr * scale,
                    'lr_scale': scale,
                }
                # Without one in the config, the optimizer's own default holds for what decays.
                if no_decay or self.base_wd is not None:
                    groups[group_name]['weight_decay'] = 0.0 if no_decay else self.base_wd
            groups[group_name]['params'].append(parameter)
            groups[group_name]['param_names'].append(name)
        params.extend(groups.values())
        scales = [group['lr_scale'] for group in groups.values()]
        MMLogger.get_current_instance().info(
            f'layer decay {rate}: {len(groups)} parameter groups, learning-rate scale '
            f'{min(scales):.3g} to {max(scales):.3g}'
        )


def _find_backbone(module: nn.Module) -> tuple[str, Any]:
    """The first module with ``get_layer_depth``, the backbone before others, and its name prefix."""
    candidates = [('backbone', getattr(module, 'backbone', None)), *module.named_modules()]
    for name, candidate in candidates:
        if hasattr(candidate, 'get_layer_depth'):
            name = strip_wrappers(f'{name}.' if name else '')
            return name, candidate
    raise ValueError(
        f'{type(module).__name__} has no module with get_layer_depth(); layer decay needs a backbone '
        "such as type='sapiens_pretrain.SapiensViT'"
    )
