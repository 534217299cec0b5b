# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Unlabelled images at any scale: sources, sampler and decoding."""

from .dataset import ImageSet, StreamSampler
from .transforms import DecodeRandomResizedCrop

__all__ = ['DecodeRandomResizedCrop', 'ImageSet', 'StreamSampler']
