# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Pictures of results: skeletons, body parts, depth, normals, and sheets of all."""

from .canvas import beside, legend, text_height, titled
from .dense import depth_picture, normal_picture, part_title, parts_entries, parts_overlay
from .sheet import sheet
from .skeleton import SkeletonStyle, draw_people

__all__ = [
    'SkeletonStyle',
    'beside',
    'depth_picture',
    'draw_people',
    'legend',
    'normal_picture',
    'part_title',
    'parts_entries',
    'parts_overlay',
    'sheet',
    'text_height',
    'titled',
]
