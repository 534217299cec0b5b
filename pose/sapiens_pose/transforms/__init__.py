# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What the pose pipelines need beside mmpose's transforms. Importing this registers them."""

from .augment import Albumentation
from .formatting import PackKeypoints
from .loading import LoadImage
from .reject import RejectFewKeypoints
from .topdown import TopdownAffine

__all__ = ['Albumentation', 'LoadImage', 'PackKeypoints', 'RejectFewKeypoints', 'TopdownAffine']
