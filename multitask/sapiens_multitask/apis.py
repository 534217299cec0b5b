# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Inference of the multitask model: all its tasks from one encoder pass per image or person."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from sapiens_common.layouts.body_parts import BODY_PART_NAMES, BODY_PART_PALETTE
from sapiens_common.layouts.goliath308 import load_goliath308
from sapiens_common.visualization import (
    SkeletonStyle,
    depth_picture,
    draw_people,
    normal_picture,
    parts_entries,
    parts_overlay,
    sheet,
)
from sapiens_common.visualization.canvas import Entries
from sapiens_depth_normal.geometry import AXES, DEPTH_UNIT
from sapiens_inference.engine.dense import DenseInferencer, paste
from sapiens_inference.items import Item
from sapiens_inference.outputs.results import Result, Source
from sapiens_inference.outputs.writers import TaskFiles

MIN_SCORE = 0.3  # keypoints below are not drawn
# Maps of a predicted sample, by the field of the result they become, with the value where no crop is.
MAPS = {
    'labels': ('pred_sem_seg', 0),
    'depth': ('pred_depth_map', np.nan),
    'normal': ('pred_normal_map', 0.0),
}


@dataclass
class MultitaskResult(Result):
    """What a multitask model says of one image; None for tasks it does not have, and for
    all of them where an empty list of boxes was given.

    Attributes:
        boxes: float32 (N, 4) xyxy in pixels: the regions that went through the model, the whole image
            where no boxes were given.
        keypoints: float (N, K, 2), x and y in pixels of the image, per region.
        scores: float32 (N, K), raw maxima of the heatmaps.
        labels: uint8 (H, W) body parts; 0 is background.
        depth: float32 (H, W), relative: 0 is the nearest point of the person and 1 the farthest.
        normal: float32 (H, W, 3) unit vectors; X right, Y up, Z to the camera.
    """

    boxes: np.ndarray
    keypoints: np.ndarray | None = None
    scores: np.ndarray | None = None
    labels: np.ndarray | None = None
    depth: np.ndarray | None = None
    normal: np.ndarray | None = None
    task: ClassVar[str] = 'multitask'

    def person_mask(self) -> np.ndarray | None:
        """Bool (H, W), True where the body part is not background, of models with parts."""
        return None if self.labels is None else self.labels > 0


class MultitaskInferencer(DenseInferencer):
    """All tasks of a ``sapiens_multitask.MultitaskModel`` at once.

    Arguments as :class:`sapiens_inference.Inferencer`: ``model``, ``weights``, ``device``,
    ``dtype``, ``compile``, ``detector``, ``workers``.
    """

    task = 'multitask'
    gives_mask = True
    output = (
        'keypoints: x, y in pixels of the image; labels: class ids, 0 is background; '
        f'depth: {DEPTH_UNIT}; normal: unit vectors in camera coordinates, {AXES["opengl"]}'
    )

    def extract(self, sample: Any) -> Any:
        """Arrays of a predicted data sample by field of the result."""
        found = {}
        for name, (field, _) in MAPS.items():
            if field in sample:
                values = sample.get(field).data.cpu().numpy()
                found[name] = values.transpose(1, 2, 0) if name == 'normal' else values[0]
        if 'pred_instances' in sample:
            found['keypoints'] = sample.pred_instances.keypoints[0]
            found['scores'] = sample.pred_instances.keypoint_scores[0]
        return found

    def assemble(self, item: Item, views: list, outputs: list[Any]) -> MultitaskResult:
        """Put the regions back into the image."""
        shape = item.pixels.shape
        regions = [(0, 0, shape[1], shape[0]) if view is None else tuple(view) for view in views]
        result = MultitaskResult(Source.of(item), np.array(regions, np.float32).reshape(-1, 4))
        if not outputs:
            return result
        for name, (_, fill) in MAPS.items():
            if name in outputs[0]:
                background = 0 if name == 'labels' else None
                maps = [output[name] for output in outputs]
                setattr(result, name, paste(shape, views, maps, fill, background))
        if 'keypoints' in outputs[0]:
            corners = result.boxes[:, None, :2]
            result.keypoints = np.stack([output['keypoints'] for output in outputs]) + corners
            result.scores = np.stack([output['scores'] for output in outputs]).astype(np.float32)
        return result

    def draw(self, item: Item) -> np.ndarray:
        """Keypoints, parts, depth and normals on one sheet."""
        result = item.results[self.task]
        assert isinstance(result, MultitaskResult)
        mask = result.person_mask()
        pictures = [('photo', item.pixels)]
        entries: Entries = ()
        if result.keypoints is not None and result.scores is not None:
            picture = draw_people(
                item.pixels, result.keypoints, result.scores, result.boxes, _style(), MIN_SCORE
            )
            pictures.append(('keypoints', picture))
        if result.labels is not None:
            pictures.append(
                ('body parts', parts_overlay(item.pixels, result.labels, BODY_PART_PALETTE))
            )
            entries = parts_entries(result.labels, BODY_PART_NAMES, BODY_PART_PALETTE)
        if result.depth is not None:
            pictures.append(('depth', depth_picture(result.depth, mask)))
        if result.normal is not None:
            pictures.append(('normals', normal_picture(result.normal, mask)))
        return sheet(pictures, entries=entries)

    def files(self) -> TaskFiles:
        """``<stem>.npz`` with the arrays of :class:`MultitaskResult` that the model has; ``<stem>.jpg``."""

        def save(result: Result, stem: Path) -> None:
            arrays: dict[str, Any] = {
                name: value for name, value in vars(result).items() if isinstance(value, np.ndarray)
            }
            np.savez_compressed(stem.with_name(f'{stem.name}.npz'), **arrays)

        return TaskFiles(self.task, save, self.draw, title='all tasks')


def _style() -> SkeletonStyle:
    """308 small points and the links of the body."""
    facts = load_goliath308()
    ids = {point['name']: point['id'] for point in facts['keypoints']}
    return SkeletonStyle(
        colors=[tuple(point['color']) for point in facts['keypoints']],
        links=[tuple(ids[name] for name in link['link']) for link in facts['skeleton']],
        link_colors=[tuple(link['color']) for link in facts['skeleton']],
        sizes=[0.4] * len(ids),
    )
