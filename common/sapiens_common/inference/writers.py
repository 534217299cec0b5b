# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Results on disk: one folder per task, one set of files per image, one video per video."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from .items import Frame, Item, Video
from .results import Result
from .summary import Summary
from .video import VideoWriter


def write_image(path: Path, image: np.ndarray) -> None:
    """Write an image; OpenCV's silent failures become errors.

    Raises:
        ValueError: The image could not be encoded.
    """
    options = [cv2.IMWRITE_JPEG_QUALITY, 93] if path.suffix == '.jpg' else []
    good, data = cv2.imencode(path.suffix, image, options)
    if not good:
        raise ValueError(f'{path}: OpenCV could not encode an image of shape {image.shape}')
    path.write_bytes(data.tobytes())


def write_json(path: Path, content: Any) -> None:
    """Write JSON on one line: 308 points with an indent each would be mostly spaces."""
    path.write_text(json.dumps(content), encoding='utf-8')


@dataclass
class TaskFiles:
    """How a task's results become files.

    Attributes:
        task: Its name, and the name of its folder.
        save: Writes a result's data files; takes the result and the path without suffix. None for a task
            that has only pictures.
        draw: Makes the picture of an item (its results are set).
        record: Entry of a result in a video's JSON file; None writes no such file.
        header: What that file says once for all frames.
        tile: The picture on a sheet of several tasks, where the photo is there already; None takes
            ``draw``'s.
        title: Title on the sheet; empty for the task's name.
    """

    task: str
    save: Callable[[Result, Path], None] | None
    draw: Callable[[Item], np.ndarray]
    record: Callable[[Result], dict[str, Any]] | None = None
    header: dict[str, Any] = field(default_factory=dict)
    tile: Callable[[Item], np.ndarray] | None = None
    title: str = ''


class Writer:
    """Write the results of one task below ``<out_dir>/<task>``.

    An image makes its task's data files and ``<stem>.jpg``; a video makes ``<stem>.mp4`` and, for tasks
    with a record, ``<stem>.json``. Folders of the input are kept below the output folder.

    Args:
        out_dir: Folder of all tasks.
        files: How to write.
        draw: Whether to make pictures and videos.
        save_frames: Whether the frames of videos get data files too, as ``<stem>/<number>``.
    """

    def __init__(
        self, out_dir: str | Path, files: TaskFiles, draw: bool = True, save_frames: bool = False
    ) -> None:
        self.folder = Path(out_dir) / files.task
        self.files, self.draw, self.save_frames = files, draw, save_frames
        self._pictures: dict[int, np.ndarray] = {}
        self._video: Video | None = None
        self._writer: VideoWriter | None = None
        self._records: Any = None
        self.folder.mkdir(parents=True, exist_ok=True)

    def write(self, item: Item) -> None:
        """Write the files of an image, or draw the picture of a frame. Runs in any thread."""
        result = item.results.get(self.files.task)
        stem = self.folder / item.name
        if item.frame is not None:
            if self.draw:
                self._pictures[item.index] = self.files.draw(item)
            if not self.save_frames:
                return
            stem = stem / f'{item.frame.number:06d}'
        stem.parent.mkdir(parents=True, exist_ok=True)
        if result is not None and self.files.save is not None:
            self.files.save(result, stem)
        if self.draw and item.frame is None:
            write_image(stem.with_name(f'{stem.name}.jpg'), self.files.draw(item))

    def write_ordered(self, item: Item) -> None:
        """Append a frame to its video. Runs in one thread, in order."""
        if item.frame is None:
            return
        if self._video is not item.frame.video:
            self.close()
            self._open(item.frame)
        picture = self._pictures.pop(item.index, None)
        if picture is not None and self._writer is not None:
            self._writer.write(picture, item.frame)
        if self._records is not None and self.files.record is not None:
            entry = {'frame': item.frame.number, 'time': round(item.frame.time, 4)}
            entry |= self.files.record(item.results[self.files.task])
            self._records.write((',\n' if self._records.started else '\n') + json.dumps(entry))
            self._records.started = True

    def _open(self, frame: Frame) -> None:
        self._video = frame.video
        stem = self.folder / frame.video.name
        stem.parent.mkdir(parents=True, exist_ok=True)
        if self.draw:
            self._writer = VideoWriter(stem.with_name(f'{stem.name}.mp4'), frame.video)
        if self.files.record is not None:
            path = stem.with_name(f'{stem.name}.json')
            self._records = _Records(path, frame.video, self.files.header)

    def close(self) -> None:
        """Finish the open video, if any."""
        writer, records = self._writer, self._records
        self._video = self._writer = self._records = None
        try:
            if writer is not None:
                writer.close()
        finally:
            if records is not None:
                records.close()

    def finish(self, summary: Summary) -> None:
        """Write ``summary.json`` beside the results."""
        summary.write(self.folder / 'summary.json')


class _Records:
    """A JSON file written frame by frame: a long video must not gather in memory."""

    def __init__(self, path: Path, video: Video, header: dict[str, Any]) -> None:
        self.started = False
        self._file = path.open('w', encoding='utf-8')
        head = {
            'name': video.name,
            'path': None if video.path is None else str(video.path),
            'rate': float(video.rate),
        }
        self._file.write(json.dumps({**header, 'video': head})[:-1] + ', "frames": [')

    def write(self, text: str) -> None:
        self._file.write(text)

    def close(self) -> None:
        self._file.write('\n]}\n')
        self._file.close()
