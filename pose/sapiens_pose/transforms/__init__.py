# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What the pose pipelines need beside mmpose's transforms. Importing this registers them."""

from .augment import SeededAlbumentation
from .formatting import PackKeypoints
from .loading import LoadPersonImage
from .reject import RejectFewKeypoints
from .topdown import DecodeTopdownAffine

__all__ = [
    'DecodeTopdownAffine',
    'LoadPersonImage',
    'PackKeypoints',
    'RejectFewKeypoints',
    'SeededAlbumentation',
]
