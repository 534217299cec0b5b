# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Errors of pointmaps on the person, pooled over all pixels of a set."""

from typing import Any

import cv2
import numpy as np

from sapiens_depth_normal.geometry import depth_to_points
from sapiens_depth_normal.registry import METRICS

from .framings import MODEL, Column, FramingMetric, Measured, read_field, read_mask
from .normal_metric import angles_between
from .pooled import Sums, mean_of, sums_of

DISTANCES = (0.05, 0.1, 0.2)
ANGLES = (5.0, 11.25, 22.5, 30.0)  # degrees
WINDOW = 5  # pixels, of the Sobel filters


@METRICS.register_module()
class HumanPointmapMetric(FramingMetric):
    """Distances between predicted and true points, and angles between the normals of their surfaces.

    Three protocols, each with a table:
    ``metric``: metres, as predicted;
    ``scaled``: metres, the prediction of each image multiplied by the factor that brings its median distance
    along the camera's axis to the true one, so that shape and position on the image count alone;
    ``canonical``: Sapiens2's own figures, in units that are metres times the canonical focal length over the
    image's (its names call thresholds of 0.05 units "5 cm"), with normals that take the emptiness around the
    person for a surface at the camera.
    In the other two, normals count where their window lies within the person.

    The trivial prediction is a plane: at the mean true depth of each image's person, seen by the true camera, which
    no model knows; or, with ``usual``, the same points for every image, as a model has to guess them.

    Needs ``pred_point_map`` (3, H, W) in metres (x right, y down, z forward), ``gt_depth_map`` in metres and
    ``gt_mask``, all at one size; ``intrinsics`` (3, 3) of that size, and for ``canonical`` ``pred_scale`` and
    ``input_intrinsics`` (3, 3), of the network's input.

    Args:
        canonical_focal: Canonical focal length in pixels.
        protocols: Which of the three.
        usual: Depth in metres of the trivial plane, and the scale (canonical focal length over that of the network's
            input) of the camera that sees it; such as the medians of the training people.
        collect_device: Where ranks exchange results.
        prefix: What the keys start with.
    """

    default_prefix = 'pointmap'
    baseline = 'plane'
    columns = (
        Column('l2_mean', 'distance', 'lower', 4),
        Column('x_mae', '|x|', 'lower', 4),
        Column('y_mae', '|y|', 'lower', 4),
        Column('z_mae', '|z|', 'lower', 4),
        Column('rmse', 'RMS', 'lower', 4),
        *(Column(f'within_{d:.2f}', f'< {d:.2f}', 'higher', 4) for d in DISTANCES),
        Column('normal_mae', 'normals [deg]', 'lower', 2),
        Column('normal_rmse', 'RMS [deg]', 'lower', 2),
        *(Column(f'within_{a:g}_deg', f'< {a:g} deg', 'higher', 4) for a in ANGLES),
    )
    TITLES = {
        'metric': 'Pointmap in metres, as predicted',
        'scaled': 'Pointmap in metres, one factor fitted per image',
        'canonical': "Pointmap in canonical units, Sapiens2's protocol",
    }

    def __init__(
        self,
        canonical_focal: float = 768.0,
        protocols: tuple[str, ...] | list[str] = ('metric', 'scaled', 'canonical'),
        usual: tuple[float, float] | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device, prefix)
        self.canonical_focal = canonical_focal
        self.usual = usual
        self.titles = {protocol: self.TITLES[protocol] for protocol in protocols}

    def measure(self, sample: dict) -> Measured:
        """Errors of one image under every protocol.

        Raises:
            ValueError: A map is missing, empty, of another size, or not finite; no camera.
        """
        pred = read_field(sample, 'pred_point_map').transpose(1, 2, 0)
        mask = read_mask(sample, pred.shape[:2])
        depth = np.where(mask, read_field(sample, 'gt_depth_map')[0], 0)
        where = sample.get('img_path', 'a sample')
        if not (np.isfinite(pred).all() and np.isfinite(depth).all()):
            raise ValueError(f'{where}: pred or truth is not finite on the mask; has it diverged?')
        camera = np.array(_read_camera(sample, 'intrinsics'), float)
        truth = _points(depth, camera)
        distance, seen_by = depth[mask].mean(), camera
        if self.usual is not None:
            distance, scale = self.usual
            seen_by = camera.copy()
            seen_by[:2, :2] *= self._scale(sample) / scale
        plane = _points(np.full_like(depth, distance), seen_by)
        found: dict[str, dict[str, Sums]] = {}
        for protocol in self.titles:
            rows = {MODEL: pred, self.baseline: plane}
            unit = dict.fromkeys(rows, 1.0)
            if protocol == 'scaled':
                unit = {row: _factor(points, truth, mask) for row, points in rows.items()}
            true_unit = 1.0
            if protocol == 'canonical':
                true_unit = self._scale(sample)
                unit = {MODEL: sample['pred_scale'], self.baseline: true_unit}
                if self.usual is not None:
                    unit[self.baseline] = self.usual[1]
            found[protocol] = {
                row: point_errors(
                    points * unit[row], truth * true_unit, mask, whole=protocol == 'canonical'
                )
                for row, points in rows.items()
            }
        return found

    def _scale(self, sample: dict) -> float:
        """True scale of an image: canonical focal length over that of the network's input."""
        return self.canonical_focal / _read_camera(sample, 'input_intrinsics')[0][0]

    def summarize(self, found: list[Any]) -> dict[str, float]:
        """Figures over the pixels of several images."""
        figures = {name: mean_of(found, name) for name in found[0]}
        figures['rmse'] = float(np.sqrt(figures.pop('square')))
        figures['normal_rmse'] = float(np.sqrt(figures.pop('normal_square')))
        return figures


def point_errors(pred: np.ndarray, truth: np.ndarray, mask: np.ndarray, whole: bool) -> Sums:
    """Sums over the pixels of one image.

    Args:
        pred: Points (H, W, 3).
        truth: Points (H, W, 3), 0 off the mask.
        mask: Bool (H, W).
        whole: Whether normals count at the border of the mask, too, where their windows reach beyond it.
    """
    difference = (pred - truth)[mask].astype(np.float64)
    square = np.square(difference).sum(1)
    distance = np.sqrt(square)
    inside = mask
    if not whole:
        inside = cv2.erode(mask.astype(np.uint8), np.ones((WINDOW, WINDOW))) > 0
    angles = angles_between(_normals(pred)[inside], _normals(truth)[inside])
    axes = {f'{axis}_mae': sums_of(np.abs(difference[:, i])) for i, axis in enumerate('xyz')}
    return {
        'l2_mean': sums_of(distance),
        'square': sums_of(square),
        'normal_mae': sums_of(angles),
        'normal_square': sums_of(np.square(angles)),
        **axes,
        **{f'within_{limit:.2f}': sums_of(distance < limit) for limit in DISTANCES},
        **{f'within_{limit:g}_deg': sums_of(angles < limit) for limit in ANGLES},
    }


def _normals(points: np.ndarray) -> np.ndarray:
    """Directions (H, W, 3) across the surface of points: Sobel's slopes, crossed."""
    points = np.ascontiguousarray(points, np.float64)
    across, down = (cv2.Sobel(points, cv2.CV_64F, dx, 1 - dx, ksize=WINDOW) for dx in (1, 0))
    normals = np.cross(np.asarray(across, np.float64), np.asarray(down, np.float64))
    return normals / (np.linalg.norm(normals, axis=-1, keepdims=True) + 1e-6)


def _points(depth: np.ndarray, camera: np.ndarray) -> np.ndarray:
    """Points (H, W, 3) in OpenCV's axes."""
    return depth_to_points(depth, camera) * np.array([1, -1, -1], np.float32)


def _factor(points: np.ndarray, truth: np.ndarray, mask: np.ndarray) -> float:
    """What brings the median z of points to the true one; 1 where it is not positive."""
    median = float(np.median(points[mask][:, 2]))
    return float(np.median(truth[mask][:, 2])) / median if median > 0 else 1.0


def _read_camera(sample: dict, name: str) -> Any:
    """A pinhole matrix (3, 3) of a sample.

    Raises:
        ValueError: The sample has none.
    """
    if name not in sample:
        raise ValueError(
            f'{sample.get("img_path", "a sample")} has no {name}; read the set with '
            "targets=['depth', 'camera'] and end the pipeline with 'sapiens_depth_normal.PackMaps'"
        )
    return sample[name]
