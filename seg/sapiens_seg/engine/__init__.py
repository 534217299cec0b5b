# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Hooks of segmentation runs. Importing this registers them."""

from .class_check_hook import ClassCheckHook

__all__ = ['ClassCheckHook']
