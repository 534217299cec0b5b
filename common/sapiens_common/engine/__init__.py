# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Runner, optimizer construction and distributed set-up shared by all tasks."""

from .layer_decay import LayerDecayOptimWrapperConstructor
from .runner import SapiensRunner

__all__ = ['LayerDecayOptimWrapperConstructor', 'SapiensRunner']
