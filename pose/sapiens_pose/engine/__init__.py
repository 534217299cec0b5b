# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Hooks of pose training. Importing this registers them."""

from .keypoint_check_hook import KeypointCheckHook

__all__ = ['KeypointCheckHook']
