# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The tasks of the suite: the one table that commands, tests and the loading of models read.

To add a task, write its inferencer and add its row here. Importing this module imports no library.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

_MAPS = 'decode_head.conv_seg.weight'


@dataclass(frozen=True)
class TaskInfo:
    """A task.

    Attributes:
        name: Of the task, its configs' folder and its output folder.
        title: What people call it.
        inferencer: ``module:class`` of its inferencer, imported when it is asked for.
        data: Data of its published models: ``sapiens_1b/<name>_<data>``. Those of Sapiens2 are named after the
            task alone.
        files: What one image makes in the output folder, beside the picture ``<stem>.jpg``.
        heads: How a checkpoint of the task is recognised: the name of a weight, and by its number of output
            channels the data that the shipped config is named after. Where several tasks fit, the last
            one counts: its weight is in no other.
        result: The array of the result, for tests and measurements.
    """

    name: str
    title: str
    inferencer: str
    data: str
    files: tuple[str, ...]
    result: str
    heads: Mapping[str, Mapping[int, str]] = field(default_factory=dict)

    def load(self) -> Any:
        """The class of the inferencer."""
        module, _, name = self.inferencer.partition(':')
        return getattr(import_module(module), name)

    def published(self, size: str) -> str:
        """Name of a published model of a size such as ``sapiens_1b``."""
        short = size.startswith('sapiens2_')
        return f'{size}/{self.name}' if short else f'{size}/{self.name}_{self.data}'


TASKS = {
    task.name: task
    for task in (
        # Segmentation comes first, because others use its mask.
        TaskInfo(
            'seg',
            'body parts',
            'sapiens_seg.apis:SegInferencer',
            'goliath',
            ('<stem>.png',),
            'labels',
            {_MAPS: {29: 'goliath', 28: 'goliath', 20: 'lip', 19: 'face', 2: 'foreground'}},
        ),
        TaskInfo(
            'pose',
            'keypoints',
            'sapiens_pose.apis:PoseInferencer',
            'goliath',
            ('<stem>.json',),
            'keypoints',
            {'head.final_layer.weight': {308: 'goliath', 133: 'coco_wholebody', 17: 'coco'}},
        ),
        TaskInfo(
            'depth',
            'depth',
            'sapiens_depth_normal.apis:DepthInferencer',
            'render_people',
            ('<stem>.npy', '<stem>.png'),
            'depth',
            {_MAPS: {1: 'render_people'}},
        ),
        TaskInfo(
            'normal',
            'normals',
            'sapiens_depth_normal.apis:NormalInferencer',
            'render_people',
            ('<stem>.npy',),
            'normal',
            {_MAPS: {3: 'render_people'}},
        ),
        TaskInfo(
            'pointmap',
            'pointmap',
            'sapiens_depth_normal.pointmap_api:PointmapInferencer',
            'render_people',
            ('<stem>.npz',),
            'points',
            {'decode_head.scale_final_layer.5.weight': {1: 'render_people'}},
        ),
        TaskInfo(
            'albedo',
            'albedo',
            'sapiens_depth_normal.colour_apis:AlbedoInferencer',
            'render_people',
            ('<stem>.png',),
            'albedo',
            {'decode_head.conv_layers.1.norm.weight': {64: 'render_people', 32: 'synthetic'}},
        ),
        TaskInfo(
            'matting',
            'matting',
            'sapiens_depth_normal.colour_apis:MattingInferencer',
            'p3m',
            ('<stem>.png',),
            'alpha',
            {_MAPS: {4: 'p3m'}},
        ),
    )
}
"""Tasks by name, in the order in which they run together."""

MULTITASK = TaskInfo(
    'multitask',
    'several tasks',
    'sapiens_multitask.apis:MultitaskInferencer',
    'synthetic',
    (),
    'results',
)
"""One model for several tasks; its results and files are those of the tasks themselves."""


DEFAULT_WEIGHTS = 'sapiens_tiny/multitask_synthetic'
"""The model that comes with the suite, which commands take when none is named."""


def find_task(name: str) -> TaskInfo:
    """A task by name.

    Raises:
        ValueError: There is no such task.
    """
    known = {**TASKS, MULTITASK.name: MULTITASK}
    if name not in known:
        raise ValueError(f'{name!r} is not one of {", ".join(known)}')
    return known[name]
