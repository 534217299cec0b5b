# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Registry of ``sapiens_common``: a child of mmengine's root, filled on first use."""

from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS
from mmengine.registry import Registry

TRANSFORMS = Registry(
    'transform',
    parent=MMENGINE_TRANSFORMS,
    scope='sapiens_common',
    locations=['sapiens_common.transforms'],
)
