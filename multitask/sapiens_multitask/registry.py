# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Registries of ``sapiens_multitask``: children of mmengine's root, filled on first use."""

from mmengine.registry import METRICS as MMENGINE_METRICS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS
from mmengine.registry import Registry

_SCOPE = 'sapiens_multitask'

MODELS = Registry(
    'model',
    parent=MMENGINE_MODELS,
    scope=_SCOPE,
    locations=[f'{_SCOPE}.models', f'{_SCOPE}.distillation'],
)
TRANSFORMS = Registry(
    'transform', parent=MMENGINE_TRANSFORMS, scope=_SCOPE, locations=[f'{_SCOPE}.transforms']
)
METRICS = Registry(
    'metric', parent=MMENGINE_METRICS, scope=_SCOPE, locations=[f'{_SCOPE}.part_metric']
)
