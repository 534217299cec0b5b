# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Pose inference: keypoints of every person in images and videos."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from mmengine.dataset import Compose, pseudo_collate
from mmengine.logging import MMLogger
from mmengine.structures import InstanceData
from mmpose.apis.inference import dataset_meta_from_config
from mmpose.models.utils.tta import flip_heatmaps
from torch import Tensor

from sapiens_common.layouts.style import metainfo_style
from sapiens_common.visualization import draw_people
from sapiens_common.visualization.canvas import Entries
from sapiens_inference.engine.dense import crop_region, run_on_crop
from sapiens_inference.engine.inferencer import Inferencer
from sapiens_inference.engine.models import build_test_pipeline
from sapiens_inference.engine.tracking import KeypointSmoother
from sapiens_inference.inputs.boxes import BoxFinder
from sapiens_inference.items import Boxes, Item
from sapiens_inference.outputs.results import Result, Source
from sapiens_inference.outputs.writers import write_json

from .codecs import BatchedUDPHeatmap
from .selection import Selection, select_keypoints

DIGITS = 3
"""Decimals of coordinates and scores in files."""


@dataclass(repr=False, eq=False)
class PoseResult(Result):
    """Keypoints of the people of one image.

    Attributes:
        boxes: float32 (N, 4) xyxy in pixels.
        box_scores: float32 (N,).
        box_origin: 'detector', 'given', 'whole image' or 'whole image (nobody detected)'.
        keypoints: float (N, K, 2), x and y in pixels of the image; NaN where the chosen layout has a point
            that the model does not.
        scores: float32 (N, K), raw maxima of the heatmaps: about 1 for a clear point, above or below at
            times; 0 where the model has no such point.
        names: K keypoint names.
        track_ids: int64 (N,), the same number for the same person in a video; None for images.
    """

    boxes: np.ndarray
    box_scores: np.ndarray
    box_origin: str
    keypoints: np.ndarray
    scores: np.ndarray
    names: list[str]
    track_ids: np.ndarray | None = None
    task: ClassVar[str] = 'pose'
    suffixes: ClassVar[tuple[str, ...]] = ('.json',)

    def people(self, digits: int | None = None) -> list[dict[str, Any]]:
        """One JSON-serialisable dict per person; None stands for a point the model does not have.

        Args:
            digits: Decimals of the coordinates; None keeps all.
        """
        people = []
        for row in range(len(self.boxes)):
            points = [
                [_number(x, digits), _number(y, digits)] if np.isfinite(x) else None
                for x, y in self.keypoints[row].tolist()
            ]
            person: dict[str, Any] = {
                'box': [_number(v, digits) for v in self.boxes[row].tolist()],
                'box_score': float(self.box_scores[row]),
                'keypoints': points,
                'scores': [_number(v, digits) for v in self.scores[row].tolist()],
            }
            if self.track_ids is not None:
                person['track_id'] = int(self.track_ids[row])
            people.append(person)
        return people

    def to_dict(self, digits: int | None = None) -> dict[str, Any]:
        """JSON-serialisable content, one entry per person.

        Args:
            digits: Decimals of coordinates and scores; None keeps all, and ``from_dict`` gives the same back.
        """
        return {
            'task': self.task,
            'ok': self.ok,
            'error': self.error,
            'source': asdict(self.source),
            'box_origin': self.box_origin,
            'names': self.names,
            'people': self.people(digits),
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> PoseResult:
        """The result that ``to_dict`` described, or the content of a ``<stem>.json``.

        Raises:
            ValueError: The content is of another task.
        """
        cls.check_task(content)
        people, names = content['people'], content['names']
        points = [[p or (np.nan, np.nan) for p in person['keypoints']] for person in people]
        tracked = bool(people) and 'track_id' in people[0]
        return cls(
            source=Source.from_dict(content['source']),
            boxes=np.array([p['box'] for p in people], np.float32).reshape(-1, 4),
            box_scores=np.array([p['box_score'] for p in people], np.float32),
            box_origin=content['box_origin'],
            keypoints=np.array(points, np.float64).reshape(-1, len(names), 2),
            scores=np.array([p['scores'] for p in people], np.float32).reshape(-1, len(names)),
            names=names,
            track_ids=np.array([p['track_id'] for p in people]) if tracked else None,
            error=content.get('error', ''),
        )

    def save(self, stem: Path) -> None:
        """Write ``<stem>.json``: boxes, keypoints, scores and names."""
        write_json(stem.with_name(f'{stem.name}.json'), self.to_dict(DIGITS))

    def header(self) -> dict[str, Any]:
        """Task and names, once for all frames."""
        return {'task': self.task, 'names': self.names}

    def record(self) -> dict[str, Any]:
        """The people of a frame."""
        return {'box_origin': self.box_origin, 'people': self.people(DIGITS)}


def _number(value: float, digits: int | None) -> float:
    return value if digits is None else round(value, digits)


class PoseInferencer(Inferencer):
    """Keypoints of people.

    Args:
        *args: As :class:`sapiens_inference.Inferencer`: ``model``, ``weights``, ``device``, ``dtype``, ``compile``.
        keypoints: Which points to return, chosen before decoding: None for all of the model; a layout
            (``coco`` for 17, ``coco_wholebody`` for 133, ``goliath`` for 308); a group (``body``, ``foot``,
            ``face``, ``left_hand``, ``right_hand``), or a list of groups, names and ids.
        flip_test: Average with the mirrored image; None as the config says (the published scores use it,
            it doubles the cost).
        kpt_thr: Points with a lower score are not drawn; they are returned all the same.
        **kwargs: As :class:`sapiens_inference.Inferencer`: ``detector``, ``workers``.
    """

    task = 'pose'
    result_type = PoseResult
    needs_boxes = True
    output = 'keypoints: x, y in pixels of the image; scores: raw heatmap maxima'

    def setup(
        self,
        keypoints: str | Sequence[str | int] | None = None,
        flip_test: bool | None = None,
        kpt_thr: float = 0.3,
    ) -> None:
        """Choose points; see the class."""
        config = self.loaded.config
        self.pipeline = Compose(build_test_pipeline(config))
        self.meta = dataset_meta_from_config(config, 'test')
        if self.meta is None:
            raise ValueError(f'{config.filename}: test_dataloader.dataset names no keypoint layout')
        if flip_test is not None:
            built: Any = self.loaded.model
            # A new dict: the multitask model that this may be a part of keeps its own.
            built.test_cfg = {**built.test_cfg, 'flip_test': flip_test}
        self.keypoints = keypoints
        self.selection: Selection = select_keypoints(self.meta, keypoints)
        self.style = metainfo_style(self.meta, self.selection.names)
        self.kpt_thr = kpt_thr
        _compare_layouts(self.loaded.meta.get('dataset_meta'), self.meta, str(self.loaded.weights))

    def choices(self) -> dict[str, Any]:
        """Which points, whether mirrored images count, and which points are drawn."""
        built: Any = self.loaded.model
        flip_test = bool(built.test_cfg.get('flip_test', False))
        return {'keypoints': self.keypoints, 'flip_test': flip_test, 'kpt_thr': self.kpt_thr}

    def default_detector(self) -> BoxFinder:
        """The published RTMDet-m person detector, on this model's device."""
        from sapiens_det.person_detector import PersonDetector

        return PersonDetector(device=self.loaded.device)

    def views(self, item: Item, crops: bool) -> list[np.ndarray | None]:
        """The boxes, xyxy (4,); for a task of a multitask model regions, as dense tasks take them."""
        boxes = item.boxes
        if boxes is None:
            return []
        if not self.loaded.shared:
            return list(boxes.xyxy)
        if boxes.is_whole:
            return [None]
        shape, aspect = item.pixels.shape, self.loaded.aspect
        return [crop_region(box, shape, aspect, padded=True) for box in boxes.xyxy]

    def preprocess(self, item: Item, view: np.ndarray | None) -> Any:
        """The test pipeline of the config on one box."""
        if self.loaded.shared:
            return run_on_crop(self.pipeline, item, view)
        if view is None:
            raise ValueError(f'{item.label}: pose needs a box')
        shape = item.pixels.shape[:2]
        info = {
            'img': item.pixels,
            'img_path': item.label,
            'img_shape': shape,
            'ori_shape': shape,
            'bbox': view[None].astype(np.float32),
            'bbox_score': np.ones(1, np.float32),
            **(self.meta or {}),
        }
        return self.pipeline(info)

    def forward(self, samples: list[Any]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Keypoints (S, 2) in pixels of the image, and scores (S,), of the S selected points per sample."""
        model: Any = self.loaded.model
        data = model.data_preprocessor(pseudo_collate(samples), False)
        ids = self.selection.ids
        if isinstance(model.head.decoder, BatchedUDPHeatmap):
            heatmaps = self._heatmaps(data['inputs'])
            points, scores = model.head.decoder.batch_decode(heatmaps, ids.tolist())
            found = [
                InstanceData(keypoints=p, keypoint_scores=s)
                for p, s in zip(points, scores, strict=True)
            ]
            predicted = model.add_pred_to_datasample(found, None, data['data_samples'])
            return [_points_of(sample) for sample in predicted]
        # Another head of mmpose: decode all, then select.
        return [self.extract(s) for s in model.predict(data['inputs'], data['data_samples'])]

    def extract(self, sample: Any) -> tuple[np.ndarray, np.ndarray]:
        """The selected points of a predicted data sample that has all of the model."""
        points, scores = _points_of(sample)
        return points[self.selection.ids], scores[self.selection.ids]

    def _heatmaps(self, inputs: Tensor) -> Tensor:
        """Heatmaps (B, K, h, w) of normalised inputs, averaged with those of the mirrored ones if asked."""
        model: Any = self.loaded.model
        heatmaps = model.head.forward(model.extract_feat(inputs))
        if not model.test_cfg.get('flip_test', False):
            return heatmaps
        mirrored = flip_heatmaps(
            model.head.forward(model.extract_feat(inputs.flip(-1))),
            flip_mode=model.test_cfg.get('flip_mode', 'heatmap'),
            flip_indices=(self.meta or {})['flip_indices'],
            shift_heatmap=model.test_cfg.get('shift_heatmap', False),
        )
        return (heatmaps + mirrored) * 0.5

    def postprocess(self, item: Item, views: list, outputs: list[Any]) -> PoseResult:
        """People of an image, their points in the order of the chosen layout."""
        boxes = item.boxes
        whole = any(view is None for view in views)  # in a multitask model
        if whole and (boxes is None or not boxes.is_whole):
            boxes = Boxes.whole(item.pixels.shape)
        assert boxes is not None  # needs_boxes
        return self._result(Source.of(item), boxes, outputs)

    def empty(self, source: Source) -> PoseResult:
        """No people."""
        return self._result(source, Boxes.nobody(''), [])

    def _result(self, source: Source, boxes: Boxes, outputs: list[Any]) -> PoseResult:
        selection = self.selection
        count = len(selection.names)
        keypoints = np.full((len(outputs), count, 2), np.nan)
        scores = np.zeros((len(outputs), count), np.float32)
        for row, (points, values) in enumerate(outputs):
            keypoints[row, selection.slots] = points
            scores[row, selection.slots] = values
        return PoseResult(
            source,
            boxes.xyxy,
            boxes.scores,
            boxes.origin,
            keypoints,
            scores,
            list(selection.names),
            boxes.track_ids,
        )

    def finishers(self, smooth: bool) -> list[Callable[[Item], None]]:
        """One-Euro smoothing over the frames of a video, if asked for."""
        if not smooth:
            return []
        smoother = KeypointSmoother()

        def finish(item: Item) -> None:
            result = item.results[self.task]
            assert isinstance(result, PoseResult)
            if item.frame is not None and result.track_ids is not None:
                smoother.update(result.track_ids, result.keypoints, result.boxes, item.frame)

        return [finish]

    def visualize(self, item: Item) -> np.ndarray:
        """Skeletons on the photo."""
        result = item.results[self.task]
        assert isinstance(result, PoseResult)
        return draw_people(
            item.pixels,
            result.keypoints,
            result.scores,
            result.boxes,
            self.style,
            self.kpt_thr,
            None if result.track_ids is None else result.track_ids.tolist(),
        )

    def legend(self, item: Item | None = None) -> Entries:
        """Colours of the layout."""
        return self.style.entries


def _points_of(sample: Any) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints (K, 2) and scores (K,) of a predicted data sample of one person."""
    instances = sample.pred_instances
    return instances.keypoints[0], np.asarray(instances.keypoint_scores)[0]


def _compare_layouts(stored: Any, used: dict[str, Any], path: str) -> None:
    """Say so if a checkpoint's own metadata differs from the config's, which is what counts here."""
    if not isinstance(stored, dict):
        return
    for key in ('keypoint_id2name', 'flip_indices'):
        if stored.get(key) is not None and list(_values(stored[key])) != list(_values(used[key])):
            MMLogger.get_current_instance().warning(
                f'{path}: its {key} differs from the config; the config is used'
            )


def _values(content: Any) -> Any:
    return content.values() if isinstance(content, dict) else content
