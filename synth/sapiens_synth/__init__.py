# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Rendered humans with complete ground truth: images, depth, normals, part labels and 308 keypoints.

People are procedural or come from scans; pictures are ray cast on the CPU. All output is synthetic.
"""

from sapiens_synth.config import PRESETS, RenderConfig, get_preset
from sapiens_synth.dataset import render_dataset
from sapiens_synth.preview import contact_sheet
from sapiens_synth.sample import render_sample

__all__ = [
    'PRESETS',
    'RenderConfig',
    'contact_sheet',
    'get_preset',
    'render_dataset',
    'render_sample',
]
