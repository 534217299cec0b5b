# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Who is who over the frames of a video, and keypoints that do not tremble.

Identities come from the overlap of boxes in consecutive frames, assigned optimally (Hungarian
method). There is no appearance model: people who cross behind each other may swap numbers.

Why not a library: every box of ours, also a user's own without a score, needs a number in its first frame.
mmdet's ByteTracker and norfair confirm people over several frames and leave weak boxes out; the
first needs mmcv's compiled ops and ``lap`` even where boxes are given, the second (2.3) numpy below 2. What is
left to write is the matching below; scipy solves it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sapiens_inference.items import Frame, Item, Video


def box_iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes xyxy: (N, 4) and (M, 4) to (N, M)."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    overlap = (high - low).clip(min=0).prod(axis=2)
    areas_a = (a[:, 2:] - a[:, :2]).prod(axis=1)
    areas_b = (b[:, 2:] - b[:, :2]).prod(axis=1)
    return overlap / np.maximum(areas_a[:, None] + areas_b[None] - overlap, 1e-9)


@dataclass
class _Track:
    number: int
    box: np.ndarray
    time: float


class BoxTracker:
    """Number the boxes of consecutive frames.

    Args:
        min_iou: Least overlap with a person's last box to be the same person.
        keep_seconds: How long a person may be gone and come back under the same number.
    """

    def __init__(self, min_iou: float = 0.3, keep_seconds: float = 1.0) -> None:
        self.min_iou, self.keep_seconds = min_iou, keep_seconds
        self._tracks: list[_Track] = []
        self._next = 1

    def update(self, boxes: np.ndarray, time: float) -> np.ndarray:
        """Numbers (N,) from 1 for the boxes (N, 4) xyxy of the next frame, at ``time`` in seconds."""
        self._tracks = [t for t in self._tracks if time - t.time <= self.keep_seconds]
        ids = np.zeros(len(boxes), np.int64)
        if self._tracks and len(boxes):
            iou = box_iou(np.stack([track.box for track in self._tracks]), boxes)
            from scipy.optimize import linear_sum_assignment  # half a second that photos need not

            for row, column in zip(*linear_sum_assignment(-iou), strict=True):
                if iou[row, column] >= self.min_iou:
                    track = self._tracks[row]
                    track.box, track.time = boxes[column], time
                    ids[column] = track.number
        for column in np.flatnonzero(ids == 0):
            self._tracks.append(_Track(self._next, boxes[column], time))
            ids[column] = self._next
            self._next += 1
        return ids


class FrameTracker:
    """Sets the track ids of an item's boxes; a new video starts anew."""

    def __init__(self) -> None:
        self._video: Video | None = None
        self._tracker = BoxTracker()

    def __call__(self, item: Item) -> None:
        """Number the boxes of the next item; images that are not frames of a video are left alone."""
        if item.frame is None or item.boxes is None:
            return
        if item.frame.video is not self._video:
            self._video, self._tracker = item.frame.video, BoxTracker()
        item.boxes.track_ids = self._tracker.update(item.boxes.xyxy, item.frame.time)


class OneEuro:
    """The One-Euro filter: a low-pass filter whose cutoff rises with speed.

    Slow motion is smoothed strongly, fast motion follows without lag. Speed is measured in units per
    second.

    Args:
        min_cutoff: Cutoff in Hz for a point at rest; lower is smoother.
        beta: How much the cutoff rises per unit of speed; higher lags less.
        derivative_cutoff: Cutoff in Hz of the speed's own filter.

    Reference: Casiez, Roussel, Vogel, "1 Euro Filter", CHI 2012.
    """

    def __init__(
        self, min_cutoff: float = 1.0, beta: float = 5.0, derivative_cutoff: float = 1.0
    ) -> None:
        self.min_cutoff, self.beta = min_cutoff, beta
        self.derivative_cutoff = derivative_cutoff
        self._value: np.ndarray | None = None
        self._speed = np.zeros(())
        self._time = 0.0

    def __call__(self, value: np.ndarray, time: float) -> np.ndarray:
        """The filtered value; the first one and repeated times pass through.

        Args:
            value: Array of any shape, the same at every call.
            time: Seconds.
        """
        step = time - self._time
        if self._value is None or step <= 0:
            self._value, self._speed, self._time = value, np.zeros_like(value), time
            return value
        speed = (value - self._value) / step
        weight = self._weight(np.asarray(self.derivative_cutoff), step)
        self._speed = weight * speed + (1 - weight) * self._speed
        weight = self._weight(self.min_cutoff + self.beta * np.abs(self._speed), step)
        self._value = weight * value + (1 - weight) * self._value
        self._time = time
        return self._value

    @staticmethod
    def _weight(cutoff: np.ndarray, step: float) -> np.ndarray:
        """Share of the new value."""
        return 1 / (1 + 1 / (2 * math.pi * cutoff * step))


class KeypointSmoother:
    """Filters the keypoints of each tracked person; scores stay as they are.

    Coordinates are divided by the person's height in pixels first, so that the filter acts alike on
    near and far people. Points that are not found (NaN) pass through.

    Args:
        max_gap: Seconds without a person after which their filter starts anew.
    """

    def __init__(self, max_gap: float = 1.0) -> None:
        self.max_gap = max_gap
        self._video: Video | None = None
        self._filters: dict[int, tuple[OneEuro, float, float]] = {}

    def update(
        self, track_ids: np.ndarray, keypoints: np.ndarray, boxes: np.ndarray, frame: Frame
    ) -> None:
        """Filter the keypoints of a frame in place.

        Args:
            track_ids: (N,).
            keypoints: (N, K, 2) float, in pixels.
            boxes: (N, 4) xyxy.
            frame: Place in the video; a new video starts anew.
        """
        if frame.video is not self._video:
            self._video, self._filters = frame.video, {}
        for row, number in enumerate(track_ids.tolist()):
            height = float(boxes[row, 3] - boxes[row, 1])
            self._smooth(number, keypoints[row], height, frame)

    def _smooth(self, number: int, keypoints: np.ndarray, height: float, frame: Frame) -> None:
        """Filter (K, 2) keypoints in place."""
        known = self._filters.get(number)
        if known is None or frame.time - known[2] > self.max_gap:
            known = (OneEuro(), height, frame.time)
        one_euro, scale, _ = known  # one scale per person: a changing one would look like motion
        self._filters[number] = (one_euro, scale, frame.time)
        finite = np.isfinite(keypoints)
        values = np.where(finite, keypoints, 0) / scale
        smoothed = one_euro(values, frame.time) * scale
        keypoints[finite] = smoothed[finite]
