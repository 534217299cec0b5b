# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What inference returns: typed results that turn into JSON and back."""

from __future__ import annotations

import base64
import zlib
from dataclasses import asdict, dataclass, field, fields
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


@dataclass
class Result:
    """Base of all results. Sub-classes add arrays; every field survives ``to_dict``.

    Attributes:
        source: Which image this is.
        ok: Class attribute, True; False for :class:`Failure`.
    """

    source: Source
    ok: ClassVar[bool] = True
    task: ClassVar[str] = ''

    def person_mask(self) -> np.ndarray | None:
        """Mask (H, W), bool, True on people, of tasks that know; None for others."""
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
        if content.get('task') != cls.task:
            raise ValueError(f'expected a result of task {cls.task!r}, got {content.get("task")!r}')
        values: dict[str, Any] = {}
        for entry in fields(cls):
            if entry.name not in content:
                raise ValueError(f'the {cls.task} result has no field {entry.name!r}')
            value = content[entry.name]
            if entry.name == 'source':
                size = value['size']
                value = Source(**{**value, 'size': None if size is None else tuple(size)})
            elif isinstance(value, dict) and value.get('encoding') == _ENCODING:
                value = unpack_array(value)
            values[entry.name] = value
        return cls(**values)


@dataclass
class Failure(Result):
    """An input that could not be processed.

    Attributes:
        error: Why, naming the file or item.
    """

    error: str = ''
    ok: ClassVar[bool] = False
    task: ClassVar[str] = 'failure'


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
