# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Results on disk: one folder per task, one set of files per image, one video per video."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
from mmengine.logging import MMLogger

from sapiens_common.files.atomic import write_text_atomically
from sapiens_common.files.text import read_json
from sapiens_common.visualization import legend
from sapiens_common.visualization.canvas import Entries
from sapiens_inference.concurrency import is_alive
from sapiens_inference.inputs.folders import RESULTS_MARK
from sapiens_inference.items import Frame, Item, Video
from sapiens_inference.outputs.results import Result
from sapiens_inference.outputs.summary import Summary
from sapiens_inference.outputs.video import VideoWriter

LEGEND_HEIGHT = 600
"""Pixels of ``legend.png``."""

UNFINISHED = '.unfinished_'
"""What the names of folders begin with in which files are written aside."""


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


def write_json(path: Path, content: Any) -> Path:
    """Write JSON on one line, because 308 points with an indent each would be mostly spaces.

    Returns:
        The path.

    Raises:
        ValueError: The content holds NaN or infinity, which few readers accept.
    """
    path.write_text(json.dumps(content, allow_nan=False), encoding='utf-8')
    return path


class Writer:
    """Write the results of one task below ``<out_dir>/<task>``.

    An image makes the data files of its result (``Result.save``) and ``<stem>.jpg``; a video makes
    ``<stem>.mp4`` and, if its results have records, ``<stem>.json``. Folders of the input are kept below the
    output folder. Everything is written aside and moved into place when it is complete; of a video that the
    run did not get to the end of, ``<stem>.partial.mp4`` and ``<stem>.partial.json`` hold what was done.

    Args:
        out_dir: Folder of all tasks.
        task: Whose results to write (``item.results[task]``), and the name of the folder; a name without
            results makes pictures only.
        draw: Makes the picture of an item, uint8 (H, W, 3) BGR; None makes no pictures and videos.
        save_frames: Whether the frames of videos get data files too, as ``<stem>/<number>``.
        result_type: Class of the results; None for a name without results.
        settings: What makes the results what they are, asked for when the first is there.

    Raises:
        ValueError: The folder cannot be made or written.
    """

    def __init__(
        self,
        out_dir: str | Path,
        task: str,
        draw: Callable[[Item], np.ndarray] | None = None,
        save_frames: bool = False,
        result_type: type[Result] | None = None,
        settings: Callable[[], dict[str, Any]] | None = None,
    ) -> None:
        self.folder = Path(out_dir) / task
        self.task, self.draw, self.save_frames = task, draw, save_frames
        self.result_type, self.settings = result_type, settings
        self._video: Video | None = None
        self._writer: VideoWriter | None = None
        self._records: Any = None
        self._marked, self._lock = False, threading.Lock()
        self._since = 0.0
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            remove_unfinished(self.folder)
            mark = self.folder / RESULTS_MARK
            if not mark.exists():
                write_text_atomically(mark, '{}')
            prefix = f'{UNFINISHED}{platform.node()}_{os.getpid()}_'
            self._aside = TemporaryDirectory(prefix=prefix, dir=self.folder)
        except OSError as error:
            raise ValueError(f'output folder {self.folder} cannot be written: {error}') from error

    def write_legend(self, entries: Entries) -> None:
        """Write ``legend.png`` beside the results, if there is anything to explain.

        Args:
            entries: Names and RGB colours.
        """
        if entries:
            write_image(self.folder / 'legend.png', legend(entries, LEGEND_HEIGHT))

    def has(self, name: str, is_video: bool) -> bool:
        """Whether all files of an image or video are there already."""
        kind = self.result_type
        suffixes = ['.mp4' if is_video else '.jpg'] if self.draw is not None else []
        if kind is not None and not is_video:
            suffixes += kind.suffixes
        elif kind is not None and kind.record is not Result.record:
            suffixes.append('.json')
        stem = self.folder / name
        if is_video and self.save_frames and not stem.is_dir():
            return False
        paths = [stem.with_name(f'{stem.name}{suffix}') for suffix in suffixes]
        return bool(paths) and all(
            path.is_file() and path.stat().st_mtime >= self._since for path in paths
        )

    def check_settings(self) -> None:
        """Check that what is in the folder was made with the settings of this run.

        Raises:
            ValueError: It was made with others.
        """
        if self.settings is None:
            return
        mine = json.loads(json.dumps(self.settings()))
        theirs = read_json(self.folder / RESULTS_MARK)
        self._since = theirs.pop('since', 0.0)
        if theirs and mine != theirs:
            other = [key for key in {**mine, **theirs} if mine.get(key) != theirs.get(key)]
            before, now = ({key: one.get(key) for key in other} for one in (theirs, mine))
            raise ValueError(
                f'{self.folder} holds results that were made with {before}, this run has {now}; choose '
                'another output folder, or make all anew without skip_existing'
            )

    def write(self, item: Item) -> None:
        """Write the files of an image, or draw the picture of a frame. Runs in any thread.

        Raises:
            ValueError: The files would replace the input.
        """
        result = item.results.get(self.task)
        if item.frame is not None and self.draw is not None:
            item.pictures[self.task] = self.draw(item)
        if item.frame is not None and not self.save_frames:
            return
        stem = self.folder / item.file_name
        _keep_apart(item.path, stem)
        self._mark()
        stem.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=UNFINISHED, dir=self._aside.name) as aside:
            part = Path(aside) / stem.name
            if result is not None:
                result.save(part)
            if self.draw is not None and item.frame is None:
                write_image(part.with_name(f'{part.name}.jpg'), self.draw(item))
            for path in sorted(Path(aside).iterdir()):
                path.replace(stem.with_name(path.name))

    def _mark(self) -> None:
        """Say once what makes the results in the folder, and since when if there are older ones of another kind."""
        with self._lock:
            if not self._marked:
                settings = {} if self.settings is None else self.settings()
                theirs = read_json(self.folder / RESULTS_MARK)
                since = theirs.pop('since', 0.0)
                if theirs and theirs != json.loads(json.dumps(settings)):
                    since = os.stat(self._aside.name).st_mtime
                settings = {**settings, 'since': since} if since else settings
                aside = Path(self._aside.name) / RESULTS_MARK
                aside.write_text(json.dumps(settings), encoding='utf-8')
                aside.replace(self.folder / RESULTS_MARK)
                self._marked = True

    def write_ordered(self, item: Item) -> None:
        """Append a frame to its video. Runs in one thread, in order."""
        if item.frame is None:
            return
        result = item.results.get(self.task)
        if self._video is not item.frame.video:
            self.close()
            self._open(item.frame, result)
        picture = item.pictures.pop(self.task, None)
        if picture is not None and self._writer is not None:
            self._writer.write(picture, item.frame)
        if self._records is not None and result is not None:
            entry = {'frame': item.frame.number, 'time': round(item.frame.time, 4)}
            self._records.add(entry | result.record())

    def _open(self, frame: Frame, result: Any) -> None:
        self._video = frame.video
        _keep_apart(frame.video.path, self.folder / frame.video.name)
        self._mark()
        stem = Path(self._aside.name) / Path(frame.video.name).name
        if self.draw is not None:
            self._writer = VideoWriter(stem.with_name(f'{stem.name}.mp4'), frame.video)
        if result is not None and result.record() is not None:
            path = stem.with_name(f'{stem.name}.json')
            self._records = _Records(path, frame.video, result.header())

    def close(self, complete: bool = True) -> None:
        """Finish the open video, if any; a warning names one that cannot be finished.

        It may be the disk that is full, and the run is over or the next video begins. A part that fails does not
        take the other with it.

        Args:
            complete: Whether the run got to the end of the video.
        """
        unfinished = [part for part in (self._writer, self._records) if part is not None]
        video, self._video, self._writer, self._records = self._video, None, None, None
        for part in unfinished:
            assert video is not None
            stem = self.folder / video.name
            whole, partial = (
                stem.with_name(f'{stem.name}{middle}{part.path.suffix}')
                for middle in ('', '.partial')
            )
            try:
                part.close()
                stem.parent.mkdir(parents=True, exist_ok=True)
                part.path.replace(whole if complete else partial)
                if complete:
                    partial.unlink(missing_ok=True)
            except Exception as error:  # PyAV's share no base with the disk's
                MMLogger.get_current_instance().warning(f'{whole} cannot be written: {error}')

    def finish(self, summary: Summary) -> None:
        """Write ``summary.json`` beside the results; a full disk gives a warning."""
        self._aside.cleanup()
        try:
            summary.write(self.folder / 'summary.json')
        except OSError as error:
            MMLogger.get_current_instance().warning(f'summary.json cannot be written: {error}')


def remove_unfinished(folder: Path) -> None:
    """Remove what killed runs of this machine were writing."""
    for path in folder.glob(f'{UNFINISHED}*'):
        found = re.fullmatch(rf'{UNFINISHED}{re.escape(platform.node())}_(\d+)_\w*', path.name)
        if found is not None and not is_alive(int(found[1])):
            shutil.rmtree(path, ignore_errors=True)


def _keep_apart(source: Path | None, stem: Path) -> None:
    """Check that results do not replace what they are made from.

    Raises:
        ValueError: They would.
    """
    if source is not None and source.with_suffix('').resolve() == stem.resolve():
        raise ValueError(f'{source}: the results would replace it; choose another output folder')


class _Records:
    """A JSON file written frame by frame: a long video must not gather in memory."""

    def __init__(self, path: Path, video: Video, header: dict[str, Any]) -> None:
        self.path, self.started = path, False
        self._file = path.open('w', encoding='utf-8')
        head = {
            'name': video.name,
            'path': None if video.path is None else str(video.path),
            'rate': float(video.rate),
        }
        self._file.write(json.dumps({**header, 'video': head})[:-1] + ', "frames": [')

    def add(self, entry: dict[str, Any]) -> None:
        """Append the entry of a frame."""
        text = json.dumps(entry, allow_nan=False)
        self._file.write((',\n' if self.started else '\n') + text)
        self.started = True

    def close(self) -> None:
        self._file.write('\n]}\n')
        self._file.close()
