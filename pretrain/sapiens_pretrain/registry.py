# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Registries of ``sapiens_pretrain``: children of mmengine's root, filled on first use."""

from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import Registry

MODELS = Registry(
    'model',
    parent=MMENGINE_MODELS,
    scope='sapiens_pretrain',
    locations=['sapiens_pretrain.models'],
)
