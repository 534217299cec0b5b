# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Files on a local disk or any storage that fsspec knows. A file appears under its name only when it is complete."""

from __future__ import annotations

import io
import os
import platform
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, TypeVar

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from sapiens_common.files.atomic import sync
from sapiens_inference.outputs.writers import UNFINISHED

PARTIAL = '.partial'
WAITS = (1, 2, 4, 8)
"""Seconds to wait before each further attempt at a storage that failed."""
BUFFER = 1 << 15
"""Bytes that are read from storage at once."""
OF_THE_FILE = (FileNotFoundError, PermissionError, IsADirectoryError)
"""Errors that concern one file, not the storage; trying again does not help."""

T = TypeVar('T')


class StorageError(Exception):
    """Storage is full, gone, or refuses: no fault of an input. The same command continues later."""


def absolute(place: str) -> str:
    """A path that means the same in every process; addresses (``s3://...``) stay as they are."""
    return place if '://' in place else os.path.abspath(os.path.expanduser(place))


def open_place(place: str) -> tuple[Any, str]:
    """The file system of a path or address, and the path in it.

    Listings are not cached, because other processes write there too.

    Raises:
        ValueError: No such file system, or its package is not installed.
    """
    try:
        return url_to_fs(place, use_listings_cache=False)
    except (ImportError, ValueError) as error:
        raise ValueError(f'{place}: {error}') from error


def errors_of(fs: Any) -> type[Exception]:
    """The exceptions that a file system may raise: those of remote ones have no common base but ``Exception``."""
    return OSError if isinstance(fs, LocalFileSystem) else Exception


def patiently(call: Callable[[], T], errors: type[Exception]) -> T:
    """Call, and call again after a pause if that fails: storage on a network fails now and then.

    Raises:
        OF_THE_FILE: At the first attempt.
        errors: After the fifth failure.
    """
    for wait in WAITS:
        try:
            return call()
        except OF_THE_FILE:
            raise
        except errors:
            time.sleep(wait)
    return call()


class StoredFile(io.RawIOBase):
    """A file open for reading whose errors are :class:`StorageError`, so that no decoder takes them for damage.

    Args:
        file: A file of fsspec, open for reading.
        place: Its path or address.
        errors: What its file system raises, see :func:`errors_of`.
    """

    def __init__(self, file: Any, place: str, errors: type[Exception]) -> None:
        self.file, self.name, self.errors = file, place, errors

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with what comes next; returns the number of bytes. ``read`` is built on it."""
        with storage_errors(self.name, 'cannot be read', self.errors):
            content = self.file.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move to a position in bytes; returns it."""
        return self.file.seek(offset, whence)

    def tell(self) -> int:
        """Position in bytes."""
        return self.file.tell()

    def readable(self) -> bool:
        """Always true."""
        return True

    def seekable(self) -> bool:
        """Always true."""
        return True


@contextmanager
def open_file(place: str) -> Iterator[BinaryIO]:
    """Open a file, local or at an address, for reading.

    Raises:
        FileNotFoundError: The file does not exist.
        StorageError: It cannot be read.
    """
    fs, path = open_place(place)
    errors = errors_of(fs)
    with storage_errors(place, 'cannot be read', errors):
        file = patiently(lambda: fs.open(path, 'rb'), errors)
    with file, io.BufferedReader(StoredFile(file, place, errors), BUFFER) as buffered:
        yield buffered


class Storage:
    """A folder, local or remote, whose files are addressed by their names in it.

    Args:
        place: Local path, or an address such as ``s3://bucket/folder``. Credentials and endpoints come from
            the environment and fsspec's own configuration.

    Raises:
        ValueError: fsspec cannot reach such a place.
    """

    def __init__(self, place: str) -> None:
        self.place = absolute(place)
        self.fs, self.root = open_place(self.place)
        self.is_local = isinstance(self.fs, LocalFileSystem)

    def path(self, name: str) -> str:
        """Path of a file, as the file system takes it."""
        return f'{self.root}/{name}'

    def exists(self, name: str) -> bool:
        """Whether the folder has a file of this name."""
        try:
            self._ask(self.fs.info, name, 'cannot be read')
        except FileNotFoundError:
            return False
        return True

    def read(self, name: str) -> bytes:
        """Content of a file.

        Raises:
            FileNotFoundError: It does not exist.
            StorageError: It cannot be read.
        """
        return self._ask(self.fs.cat_file, name, 'cannot be read')

    def names(self, folder: str) -> list[str]:
        """Sorted names of the files in a sub-folder; none if it does not exist."""
        try:
            found = self._ask(partial(self.fs.ls, detail=False), folder, 'cannot be listed')
        except FileNotFoundError:
            return []
        return sorted(str(path).rstrip('/').rsplit('/', 1)[-1] for path in found)

    def write(self, name: str, content: bytes) -> None:
        """Write a file.

        Raises:
            StorageError: The disk is full, or the folder is gone or read-only.
        """
        with self.atomic_path(name) as path:
            path.write_bytes(content)

    def remove(self, name: str) -> None:
        """Delete a file if it exists."""
        try:
            self._ask(self.fs.rm_file, name, 'cannot be deleted')
        except FileNotFoundError:
            pass

    @contextmanager
    def atomic_path(self, name: str) -> Iterator[Path]:
        """A temporary local path to write to; its content takes the name when the block ends without an error.

        Several processes may write one name at a time: each has its own temporary path.

        Raises:
            StorageError: As :meth:`write`.
        """
        with storage_errors(self.path(name), 'cannot be written'):
            if not self.is_local:
                mark = f'{UNFINISHED}{platform.node()}_{os.getpid()}_'
                with TemporaryDirectory(prefix=mark) as folder:
                    path = Path(folder) / 'content'
                    yield path
                    self._ask(partial(self.fs.put_file, str(path)), name, 'cannot be written')
                return
            target = Path(self.path(name))
            target.parent.mkdir(parents=True, exist_ok=True)
            mark = f'{platform.node()}_{os.getpid()}_{uuid.uuid4().hex[:8]}'
            path = target.with_name(f'.{target.name}.{mark}{PARTIAL}')
            try:
                yield path
                sync(path)
                os.replace(path, target)
                sync(target.parent)
            finally:
                path.unlink(missing_ok=True)

    def remove_partial(self, folder: str) -> None:
        """Delete the unfinished files of killed processes in a sub-folder."""
        if self.is_local:
            for path in Path(self.path(folder)).glob(f'.*{PARTIAL}'):
                path.unlink(missing_ok=True)

    def _ask(self, call: Callable[[str], T], name: str, what: str) -> T:
        """Call a function of the file system with a file's path; on remote storage up to five times."""
        path, errors = self.path(name), errors_of(self.fs)
        with storage_errors(path, what, errors):
            return call(path) if self.is_local else patiently(partial(call, path), errors)


@contextmanager
def storage_errors(place: str, what: str, errors: type[Exception] = OSError) -> Iterator[None]:
    """Turn errors of a file system into :class:`StorageError`.

    ``FileNotFoundError`` passes through when reading: the caller knows whether a missing file matters.

    Args:
        place: Path or address, for the message.
        what: What failed, for the message: ``cannot be read``, ``cannot be written``.
        errors: What the file system raises, see :func:`errors_of`.
    """
    try:
        yield
    except StorageError:
        raise
    except FileNotFoundError:
        if what == 'cannot be written':
            raise StorageError(f'{place} {what}: its folder is gone') from None
        raise
    except errors as error:
        raise StorageError(f'{place} {what} ({reason_of(error)})') from error


def reason_of(error: Exception) -> str:
    """What an error says, without its number."""
    return getattr(error, 'strerror', None) or str(error) or type(error).__name__
