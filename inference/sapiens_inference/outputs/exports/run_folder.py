# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The files of a run, read back: one record per image or video frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import MMLogger
from PIL import Image

from sapiens_common.files.text import read_json
from sapiens_inference.inputs.photos import read_photo
from sapiens_inference.inputs.sources import name_inputs
from sapiens_inference.inputs.video import VIDEO_SUFFIXES, open_video, read_video

_NO_IMAGE = 'the results do not name their image; pass images=FOLDER (--images)'

# Data file of each task: <folder>/<task>/<stem><suffix>.
_SUFFIXES = {
    'pose': '.json',
    'seg': '.png',
    'depth': '.npy',
    'normal': '.npy',
    'pointmap': '.npz',
    'albedo': '.png',
    'matting': '.png',
}


@dataclass
class Person:
    """Keypoints of one person.

    Attributes:
        box: float64 (4,) xyxy in pixels.
        score: The box's score.
        keypoints: float64 (K, 2) in pixels; NaN where the model has no such point.
        scores: float64 (K,).
        track_id: Number of the person in a video, else None.
    """

    box: np.ndarray
    score: float
    keypoints: np.ndarray
    scores: np.ndarray
    track_id: int | None = None

    @classmethod
    def of(cls, entry: dict[str, Any]) -> Person:
        """A person of a keypoint file."""
        points = [point or (np.nan, np.nan) for point in entry['keypoints']]
        return cls(
            np.array(entry['box'], np.float64),
            float(entry['box_score']),
            np.array(points, np.float64).reshape(-1, 2),
            np.array(entry['scores'], np.float64),
            entry.get('track_id'),
        )


@dataclass
class Record:
    """What a run says of one image or frame. Maps are read when asked for.

    Attributes:
        run: The run.
        name: Relative stem of the image or video.
        people: People with keypoints; None where pose did not run.
        image: The photo, if known.
        video: Relative stem of the video that the frame belongs to, else None.
        frame: Number of the frame from 0.
        time: Seconds from the start of the video.
        shape: (height, width) of the image, where the results name it.
        picture: uint8 (H, W, 3) BGR of a frame that is being walked through.
    """

    run: RunFolder
    name: str
    people: list[Person] | None = None
    image: Path | None = None
    video: str | None = None
    frame: int | None = None
    time: float | None = None
    shape: tuple[int, int] | None = None
    picture: np.ndarray | None = field(default=None, repr=False)

    @property
    def stem(self) -> str:
        """Name of the record's own files: for a frame ``<video>/<number>``."""
        return self.name if self.frame is None else f'{self.name}/{self.frame:06d}'

    def path(self, task: str) -> Path | None:
        """The data file of a task, if there is one."""
        path = self.run.folder / task / f'{self.stem}{_SUFFIXES[task]}'
        return path if path.is_file() else None

    def array(self, task: str) -> np.ndarray | None:
        """Result of a dense task: labels, depth, normals, points (H, W, 3) in metres, RGB, or RGBA."""
        path = self.path(task)
        if path is None:
            return None
        if path.suffix == '.npy':
            return np.load(path, allow_pickle=False)
        if path.suffix == '.npz':
            with np.load(path, allow_pickle=False) as content:
                return content['points']
        with Image.open(path) as picture:
            return np.array(picture)

    def palette(self) -> list[tuple[int, int, int]]:
        """RGB of the class ids, as the label file names them; empty without labels."""
        path = self.path('seg')
        if path is None:
            return []
        with Image.open(path) as picture:
            flat = picture.getpalette() or []
        return [(flat[i], flat[i + 1], flat[i + 2]) for i in range(0, len(flat) - 2, 3)]

    def pixels(self) -> np.ndarray:
        """The photo, uint8 (H, W, 3) BGR.

        Raises:
            ValueError: It is not known where the photo is.
        """
        if self.picture is not None:
            return self.picture
        if self.image is None:
            raise ValueError(f'{self.stem}: {_NO_IMAGE}')
        return read_photo(self.image)[0]

    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.shape if self.shape is not None else self.pixels().shape[:2]


Images = str | Path | Sequence[str | Path] | None
"""The inputs of a run: a folder, pattern, list or file, or several of them; None where the results name them."""


class RunFolder:
    """What a run has written.

    Args:
        folder: ``<folder>/<task>/<stem>.*``.
        images: The inputs of the run.

    Attributes:
        folder: As given.
        tasks: Tasks that have results.

    Raises:
        ValueError: There is no such folder, or nothing in it.
    """

    def __init__(self, folder: str | Path, images: Images = None) -> None:
        self.folder, self.images = Path(folder), images
        if not self.folder.is_dir():
            raise ValueError(f'{self.folder}: there is no such folder of results')
        self.tasks = [task for task in _SUFFIXES if any(self._files(task))]
        if not self.tasks and not self.films:
            raise ValueError(
                f'{self.folder}: no results in it; expected folders such as pose/ or seg/, as '
                'tools/demo.py --out writes them'
            )

    @cached_property
    def films(self) -> dict[str, dict[str, Path]]:
        """Videos of results: by the name of the input, the file of each task; ``sheet`` is that of all tasks."""
        found: dict[str, dict[str, Path]] = {}
        for path in sorted(self.folder.glob('*/**/*.mp4')):
            task = path.relative_to(self.folder).parts[0]
            if task in (*_SUFFIXES, 'sheet'):
                found.setdefault(self._stem(path, task), {})[task] = path
        return found

    @cached_property
    def keypoint_names(self) -> list[str]:
        """Names of the keypoints; empty where pose did not run."""
        first = next(iter(self._files('pose')), None)
        return [] if first is None else list(read_json(first)['names'])

    @cached_property
    def class_names(self) -> list[str]:
        """Names of the classes of the labels, from the run's summary; empty where it does not say."""
        path = self.folder / 'seg' / 'summary.json'
        models = read_json(path).get('models', {}) if path.is_file() else {}
        return next((list(model['classes']) for model in models.values() if 'classes' in model), [])

    def _files(self, task: str) -> Iterator[Path]:
        for path in sorted((self.folder / task).rglob(f'*{_SUFFIXES[task]}')):
            beside = path.name in ('summary.json', 'legend.png') and path.parent.name == task
            if not beside and not path.parent.name.startswith('.unfinished_'):
                yield path

    def _stem(self, path: Path, task: str) -> str:
        return path.relative_to(self.folder / task).with_suffix('').as_posix()

    @cached_property
    def _inputs(self) -> dict[str, Path]:
        """The files of ``images`` by the names of their results."""
        return {} if self.images is None else name_inputs(self.images, self.folder)

    def _input(self, name: str, named: str | None) -> Path | None:
        """The input of a name: what the results say, or what has this name in ``images``."""
        found = None if named is None else Path(named)
        return found if found is not None and found.is_file() else self._inputs.get(name)

    def _is_video(self, name: str) -> bool:
        if name in self.films:
            return True
        path = self._inputs.get(name)
        return path is not None and path.suffix.lower() in VIDEO_SUFFIXES

    def shown(self, *tasks: str, coloured: str = '') -> Iterator[Record]:
        """Records whose pixels are at hand; a warning counts the others.

        Args:
            tasks: Of which a record must have maps; none for all records.
            coloured: A task whose maps are coloured, so that their records need no pixels.

        Raises:
            ValueError: No record is left: it is not known where the photos are.
        """
        shown = missing = 0
        for record in self.records():
            if tasks and all(record.path(task) is None for task in tasks):
                continue
            known = record.picture is not None or record.image is not None
            if known or (coloured and record.path(coloured) is not None):
                shown += 1
                yield record
            else:
                missing += 1
        if missing and not shown:
            raise ValueError(f'{self.folder}: {_NO_IMAGE}')
        if missing:
            MMLogger.get_current_instance().warning(
                f'{missing} images or frames are left out: {_NO_IMAGE}'
            )

    def records(self, pixels: bool = True) -> Iterator[Record]:
        """Images first, then the frames of each video, in the order of their names.

        Args:
            pixels: Whether the pictures or the sizes of frames are wanted; without, a video whose keypoint
                file lists its frames is not decoded.
        """
        seen: set[str] = set()
        films: dict[str, dict[str, Any]] = {}
        numbers: dict[str, set[int]] = {}
        for task in self.tasks:
            for path in self._files(task):
                stem = self._stem(path, task)
                content = read_json(path) if task == 'pose' else {}
                if 'frames' in content:
                    films[stem] = content
                    continue
                if stem in seen:
                    continue
                # Photos may lie in a folder that is called like a video; frames have numbers for names.
                parent, _, last = stem.rpartition('/')
                source = content.get('source', {})
                is_frame = source.get('frame') is not None
                if is_frame or (
                    last.isdecimal()
                    and (parent in films or parent in numbers or self._is_video(parent))
                ):
                    numbers.setdefault(parent, set()).add(int(last))
                    continue
                seen.add(stem)
                people = [Person.of(p) for p in content['people']] if content else None
                image = self._input(stem, source.get('path'))
                size = source.get('size')
                shape = None if size is None else (size[0], size[1])
                yield Record(self, stem, people, image, shape=shape)
        for name in sorted({*films, *numbers}):
            yield from self._frames(name, films.get(name, {}), numbers.get(name, set()), pixels)

    def _frames(
        self, name: str, content: dict[str, Any], numbers: set[int], pixels: bool
    ) -> Iterator[Record]:
        """Frames of a video: with its pictures, else those that its keypoint file lists or that have maps."""
        entries = {entry['frame']: entry for entry in content.get('frames', [])}
        named = content.get('video', {}).get('path')
        path = self._input(name, named)
        if path is not None and (pixels or not entries):
            # The video is decoded beside, so that its frames are at hand one at a time.
            video, _ = open_video(path, name)
            for frame, picture, _ in read_video(video):
                if picture is None:
                    return
                entry = entries.get(frame.number)
                people = [Person.of(p) for p in entry['people']] if entry else None
                if entry or not entries:
                    shape = (picture.shape[0], picture.shape[1])
                    yield Record(
                        self,
                        name,
                        people,
                        video=name,
                        frame=frame.number,
                        time=frame.time,
                        shape=shape,
                        picture=picture,
                    )
            return
        for number in sorted(entries or numbers):
            entry = entries.get(number, {})
            people = [Person.of(p) for p in entry['people']] if entry else None
            yield Record(self, name, people, video=name, frame=number, time=entry.get('time'))
