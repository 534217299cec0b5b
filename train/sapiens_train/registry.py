# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Registries of ``sapiens_train``: children of mmengine's root, filled on first use."""

from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import LOOPS as MMENGINE_LOOPS
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS as MMENGINE_CONSTRUCTORS
from mmengine.registry import OPTIM_WRAPPERS as MMENGINE_OPTIM_WRAPPERS
from mmengine.registry import RUNNERS as MMENGINE_RUNNERS
from mmengine.registry import Registry

_SCOPE = 'sapiens_train'

HOOKS = Registry('hook', parent=MMENGINE_HOOKS, scope=_SCOPE, locations=['sapiens_train.hooks'])
LOOPS = Registry('loop', parent=MMENGINE_LOOPS, scope=_SCOPE, locations=['sapiens_train.loops'])
RUNNERS = Registry(
    'runner',
    parent=MMENGINE_RUNNERS,
    scope=_SCOPE,
    locations=['sapiens_train.runner', 'sapiens_train.sharded'],
)
OPTIM_WRAPPERS = Registry(
    'optimizer wrapper',
    parent=MMENGINE_OPTIM_WRAPPERS,
    scope=_SCOPE,
    locations=['sapiens_train.optim'],
)
OPTIM_WRAPPER_CONSTRUCTORS = Registry(
    'optimizer wrapper constructor',
    parent=MMENGINE_CONSTRUCTORS,
    scope=_SCOPE,
    locations=['sapiens_train.layer_decay'],
)
