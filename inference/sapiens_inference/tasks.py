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
        name: Name of the task, of its configs' folder and of its output folder.
        title: What people call it.
        inferencer: ``module:class`` of its inferencer, imported when it is asked for.
        data: Data of its published models: ``sapiens_1b/<name>_<data>``. Those of Sapiens2 are named after the
            task alone.
        files: What one image makes in the output folder, beside the picture ``<stem>.jpg``.
        result: The array of the result, for tests and measurements.
        heads: How a checkpoint of the task is recognised: the name of a weight, and by its number of output
            channels the data that the shipped config is named after. Where several tasks fit, the last
            one counts: its weight is in no other.
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
            name='seg',
            title='body parts',
            inferencer='sapiens_seg.apis:SegInferencer',
            data='goliath',
            files=('<stem>.png',),
            result='labels',
            heads={_MAPS: {29: 'goliath', 28: 'goliath', 20: 'lip', 19: 'face', 2: 'foreground'}},
        ),
        TaskInfo(
            name='pose',
            title='keypoints',
            inferencer='sapiens_pose.apis:PoseInferencer',
            data='goliath',
            files=('<stem>.json',),
            result='keypoints',
            heads={'head.final_layer.weight': {308: 'goliath', 133: 'coco_wholebody', 17: 'coco'}},
        ),
        TaskInfo(
            name='depth',
            title='depth',
            inferencer='sapiens_depth_normal.apis:DepthInferencer',
            data='render_people',
            files=('<stem>.npy', '<stem>.png'),
            result='depth',
            heads={_MAPS: {1: 'render_people'}},
        ),
        TaskInfo(
            name='normal',
            title='normals',
            inferencer='sapiens_depth_normal.apis:NormalInferencer',
            data='render_people',
            files=('<stem>.npy',),
            result='normal',
            heads={_MAPS: {3: 'render_people'}},
        ),
        TaskInfo(
            name='pointmap',
            title='pointmap',
            inferencer='sapiens_depth_normal.pointmap_api:PointmapInferencer',
            data='render_people',
            files=('<stem>.npz',),
            result='points',
            heads={'decode_head.scale_final_layer.5.weight': {1: 'render_people'}},
        ),
        TaskInfo(
            name='albedo',
            title='albedo',
            inferencer='sapiens_depth_normal.colour_apis:AlbedoInferencer',
            data='render_people',
            files=('<stem>.png',),
            result='albedo',
            heads={'decode_head.conv_layers.1.norm.weight': {64: 'render_people', 32: 'synthetic'}},
        ),
        TaskInfo(
            name='matting',
            title='matting',
            inferencer='sapiens_depth_normal.colour_apis:MattingInferencer',
            data='p3m',
            files=('<stem>.png',),
            result='alpha',
            heads={_MAPS: {4: 'p3m'}},
        ),
    )
}
"""Tasks by name, in the order in which they run together."""

MULTITASK = TaskInfo(
    name='multitask',
    title='several tasks',
    inferencer='sapiens_multitask.apis:MultitaskInferencer',
    data='synthetic',
    files=(),
    result='results',
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
