# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Files on a local disk or any storage that fsspec knows; a file is there whole or not at all."""

from __future__ import annotations

import os
import platform
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from sapiens_common.files.atomic import sync

PARTIAL = '.partial'


class StorageError(Exception):
    """Storage is full, gone, or refuses: no fault of an input. The same command continues later."""


def absolute(place: str) -> str:
    """A path that means the same in every process; addresses (``s3://...``) stay as they are."""
    return place if '://' in place else os.path.abspath(os.path.expanduser(place))


class Storage:
    """A folder.

    Args:
        place: Local path, or an address such as ``s3://bucket/folder``. Credentials and endpoints come from
            the environment and fsspec's own configuration.
    """

    def __init__(self, place: str) -> None:
        self.place = absolute(place)
        try:
            self.fs, self.root = url_to_fs(self.place)
        except (ImportError, ValueError) as error:
            raise ValueError(f'{place}: {error}') from error
        self.is_local = isinstance(self.fs, LocalFileSystem)

    def path(self, name: str) -> str:
        """Where a file of the folder lies."""
        return f'{self.root}/{name}'

    def exists(self, name: str) -> bool:
        """Whether a file is there."""
        with storage_errors(self.place, 'cannot be read'):
            return self.fs.exists(self.path(name))

    def read(self, name: str) -> bytes:
        """Content of a file.

        Raises:
            FileNotFoundError: It is not there.
            StorageError: It cannot be read.
        """
        with storage_errors(self.path(name), 'cannot be read'):
            return self.fs.cat_file(self.path(name))

    def names(self, folder: str) -> list[str]:
        """Names of the files in a sub-folder, sorted; none where it is not there."""
        with storage_errors(self.place, 'cannot be listed'):
            try:
                self.fs.invalidate_cache()
                found = self.fs.ls(self.path(folder), detail=False)
            except FileNotFoundError:
                return []
        return sorted(str(path).rstrip('/').rsplit('/', 1)[-1] for path in found)

    def write(self, name: str, content: bytes) -> None:
        """Write a file.

        Raises:
            StorageError: The disk is full, or the folder is gone or read-only.
        """
        with self.aside(name) as path:
            path.write_bytes(content)

    def remove(self, name: str) -> None:
        """Delete a file, if it is there."""
        with storage_errors(self.path(name), 'cannot be deleted'):
            try:
                self.fs.rm_file(self.path(name))
            except FileNotFoundError:
                pass

    @contextmanager
    def aside(self, name: str) -> Iterator[Path]:
        """A local path to write to; what lies there afterwards appears under the name at once.

        Several processes may do this for one name: each writes aside on its own.

        Raises:
            StorageError: As :meth:`write`.
        """
        with storage_errors(self.path(name), 'cannot be written'):
            if not self.is_local:
                with TemporaryDirectory(prefix='sapiens_annotate_') as folder:
                    path = Path(folder) / 'content'
                    yield path
                    self.fs.put_file(str(path), self.path(name))
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
        """Delete what killed processes have left half-written in a sub-folder."""
        if self.is_local:
            for path in Path(self.path(folder)).glob(f'.*{PARTIAL}'):
                path.unlink(missing_ok=True)


@contextmanager
def storage_errors(place: str, what: str) -> Iterator[None]:
    """Errors of a storage under one name, but for a missing file, which its reader judges."""
    try:
        yield
    except FileNotFoundError:
        if what == 'cannot be written':
            raise StorageError(f'{place} {what}: its folder is gone') from None
        raise
    except OSError as error:
        raise StorageError(f'{place} {what} ({error.strerror or error})') from error
