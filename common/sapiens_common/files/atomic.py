# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Files that are either complete or not there."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

PARTIAL_SUFFIX = '.partial'
"""Ending of a file that is being written; what a killed process leaves is never read."""


def write_atomically(path: str | Path, write: Callable[[BinaryIO], object]) -> None:
    """Let ``path`` appear with its whole content, or not at all.

    Writes aside in the same folder, syncs, renames, and syncs the folder, so that not even a power
    failure leaves a torn file under the final name.

    Args:
        path: The file to write. One that is there stays until the new one is complete.
        write: Writes the content into an open binary file.

    Raises:
        OSError: The disk is full or the folder not writable; the text says that the file there
            before is untouched. Nothing half-written is left.
    """
    path = Path(path)
    aside = path.with_name(f'.{path.name}{PARTIAL_SUFFIX}')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(aside, 'wb') as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
        sync(path.parent)
    # torch.save turns a failed write into a RuntimeError and keeps the cause to itself.
    except (OSError, RuntimeError) as error:
        aside.unlink(missing_ok=True)
        raise OSError(
            f'{path} could not be written ({error}). Is the disk full or the folder read-only? '
            'Nothing under this name was changed, and earlier checkpoints are untouched'
        ) from error


def write_text_atomically(path: str | Path, text: str) -> None:
    """Write a small text file atomically.

    Raises:
        OSError: As :func:`write_atomically`.
    """
    write_atomically(path, lambda file: file.write(text.encode()))


def sync(path: str | Path) -> None:
    """Make the content of a file durable, or a rename inside a folder."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
