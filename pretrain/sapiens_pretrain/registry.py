# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Registries of ``sapiens_pretrain``: children of mmengine's root, filled on first use.

No location imports mmpretrain: MAE configs reach its parts by their prefix.
"""

from mmengine.registry import DATA_SAMPLERS as MMENGINE_DATA_SAMPLERS
from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS as MMENGINE_CONSTRUCTORS
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS
from mmengine.registry import Registry

_SCOPE = 'sapiens_pretrain'
_DATA = ['sapiens_pretrain.data']
_MAE = ['sapiens_pretrain.mae']

MODELS = Registry(
    'model',
    parent=MMENGINE_MODELS,
    scope=_SCOPE,
    locations=['sapiens_pretrain.models', *_MAE],
)
DATASETS = Registry('dataset', parent=MMENGINE_DATASETS, scope=_SCOPE, locations=_DATA)
DATA_SAMPLERS = Registry(
    'data sampler', parent=MMENGINE_DATA_SAMPLERS, scope=_SCOPE, locations=_DATA
)
TRANSFORMS = Registry('transform', parent=MMENGINE_TRANSFORMS, scope=_SCOPE, locations=_DATA)
HOOKS = Registry('hook', parent=MMENGINE_HOOKS, scope=_SCOPE, locations=_MAE)
OPTIM_WRAPPER_CONSTRUCTORS = Registry(
    'optimizer wrapper constructor', parent=MMENGINE_CONSTRUCTORS, scope=_SCOPE, locations=_MAE
)
