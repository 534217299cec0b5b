# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What inference returns: typed results that write their files, turn into JSON and back."""

from __future__ import annotations

import base64
import zlib
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np

from sapiens_inference.items import Item

Self = TypeVar('Self', bound='Result')


@dataclass
class Source:
    """Where a result comes from.

    Attributes:
        name: Name of the outputs, relative, without suffix.
        index: Position in the inputs, from 0.
        path: The image or video file, if any.
        size: (height, width) of the image in pixels; None if it could not be read.
        frame: Frame number from 0, for videos.
        time: Seconds from the start, for videos.
        notes: What was converted or assumed.
    """

    name: str
    index: int
    path: str | None = None
    size: tuple[int, int] | None = None
    frame: int | None = None
    time: float | None = None
    notes: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, item: Item) -> Source:
        """The source of an item."""
        path = item.path or (item.frame.video.path if item.frame else None)
        return cls(
            name=item.name,
            index=item.index,
            path=None if path is None else str(path),
            size=None if item.image is None else (item.image.shape[0], item.image.shape[1]),
            frame=item.frame.number if item.frame else None,
            time=item.frame.time if item.frame else None,
            notes=list(item.notes),
        )

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Source:
        """The source that ``dataclasses.asdict`` described."""
        size = content['size']
        return cls(**{**content, 'size': None if size is None else tuple(size)})


@dataclass(repr=False, eq=False)
class Result:
    """Base of all results. Sub-classes add arrays; every field survives ``to_dict``.

    An input that could not be processed has a result too: ``ok`` is False, ``error`` says why, and the
    fields of its task are empty.

    Attributes:
        source: Which image this is.
        error: Why the input could not be processed, naming the file or item; empty if it was.
        task: Name of the task.
        suffixes: Suffixes of the files that :meth:`save` writes.
    """

    source: Source
    error: str = field(default='', kw_only=True)
    task: ClassVar[str] = ''
    suffixes: ClassVar[tuple[str, ...]] = ()

    @property
    def ok(self) -> bool:
        """Whether the input was processed."""
        return not self.error

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return sum(value.nbytes for value in vars(self).values() if isinstance(value, np.ndarray))

    def person_mask(self) -> np.ndarray | None:
        """Mask (H, W), bool, True on people, of tasks that know; None for others."""
        return None

    def by_task(self) -> dict[str, Result]:
        """This result by the name of its task; a result of several tasks has one entry for each."""
        return {self.task: self}

    def save(self, stem: Path) -> None:
        """Write the data files ``<stem>.*`` of the task.

        Args:
            stem: Path without suffix, in a folder that exists.
        """

    def header(self) -> dict[str, Any]:
        """What the JSON file of a video says once for all frames."""
        return {'task': self.task}

    def record(self) -> dict[str, Any] | None:
        """Entry of a frame in the JSON file of a video; None for tasks that write no such file."""
        return None

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable content; arrays become :func:`pack_array` dicts."""
        content: dict[str, Any] = {'task': self.task, 'ok': self.ok}
        for entry in fields(self):
            value = getattr(self, entry.name)
            if isinstance(value, Source):
                value = asdict(value)
            elif isinstance(value, np.ndarray):
                value = pack_array(value)
            content[entry.name] = value
        return content

    @classmethod
    def from_dict(cls: type[Self], content: dict[str, Any]) -> Self:
        """The result that ``to_dict`` described.

        Raises:
            ValueError: The content is of another task, or lacks a field.
        """
        cls.check_task(content)
        values: dict[str, Any] = {}
        for entry in fields(cls):
            if entry.name not in content:
                raise ValueError(f'the {cls.task} result has no field {entry.name!r}')
            value = content[entry.name]
            if entry.name == 'source':
                value = Source.from_dict(value)
            elif isinstance(value, dict) and value.get('encoding') == _ENCODING:
                value = unpack_array(value)
            values[entry.name] = value
        return cls(**values)

    @classmethod
    def check_task(cls, content: dict[str, Any]) -> None:
        """Check that a dict describes a result of this class.

        Raises:
            ValueError: It is of another task.
        """
        if content.get('task') != cls.task:
            raise ValueError(f'expected a result of task {cls.task!r}, got {content.get("task")!r}')

    def __repr__(self) -> str:
        shown = [repr(self.source.name)]
        if self.source.frame is not None:
            shown.append(f'frame {self.source.frame}')
        if self.error:
            shown.append(f'error={self.error!r}')
        else:
            shown += [
                f'{entry.name}={_shown(getattr(self, entry.name))}'
                for entry in fields(self)
                if entry.name not in ('source', 'error')
            ]
        return f'{type(self).__name__}({", ".join(shown)})'


def _shown(value: Any) -> str:
    """A value in a line of text: arrays by type and shape, long lists by their length."""
    if isinstance(value, np.ndarray):
        return f'{value.dtype} {value.shape}'
    if isinstance(value, (list, dict)) and len(value) > 3:
        return f'{len(value)} entries'
    return repr(value)


_ENCODING = 'zlib+base64'


def pack_array(array: np.ndarray) -> dict[str, Any]:
    """An array as a JSON-serialisable dict: dtype, shape, and zlib-compressed base64 data."""
    data = zlib.compress(np.ascontiguousarray(array).tobytes(), level=6)
    return {
        'encoding': _ENCODING,
        'dtype': array.dtype.str,
        'shape': list(array.shape),
        'data': base64.b64encode(data).decode('ascii'),
    }


def unpack_array(packed: dict[str, Any]) -> np.ndarray:
    """The array that :func:`pack_array` described."""
    data = zlib.decompress(base64.b64decode(packed['data']))
    return np.frombuffer(data, np.dtype(packed['dtype'])).reshape(packed['shape']).copy()
