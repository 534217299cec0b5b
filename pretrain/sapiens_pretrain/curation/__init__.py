# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Curating a set of human images: who is in them, and what does not belong."""

from .filters import MinSize, PersonFilter, ScoreFilter, make_filter
from .pipeline import Curation, Settings

__all__ = ['Curation', 'MinSize', 'PersonFilter', 'ScoreFilter', 'Settings', 'make_filter']
