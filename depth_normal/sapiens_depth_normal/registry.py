# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Registries of ``sapiens_depth_normal``: children of mmengine's root, filled on first use."""

from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import METRICS as MMENGINE_METRICS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS
from mmengine.registry import VISUALIZERS as MMENGINE_VISUALIZERS
from mmengine.registry import Registry

_SCOPE = 'sapiens_depth_normal'

MODELS = Registry('model', parent=MMENGINE_MODELS, scope=_SCOPE, locations=[f'{_SCOPE}.models'])
DATASETS = Registry(
    'dataset', parent=MMENGINE_DATASETS, scope=_SCOPE, locations=[f'{_SCOPE}.datasets']
)
TRANSFORMS = Registry(
    'transform', parent=MMENGINE_TRANSFORMS, scope=_SCOPE, locations=[f'{_SCOPE}.transforms']
)
METRICS = Registry(
    'metric', parent=MMENGINE_METRICS, scope=_SCOPE, locations=[f'{_SCOPE}.evaluation']
)
HOOKS = Registry('hook', parent=MMENGINE_HOOKS, scope=_SCOPE, locations=[f'{_SCOPE}.hooks'])
VISUALIZERS = Registry(
    'visualizer',
    parent=MMENGINE_VISUALIZERS,
    scope=_SCOPE,
    locations=[f'{_SCOPE}.map_visualizer'],
)
