# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Where images come from: a folder, a list file, or tar shards, all read by position."""

from glob import glob
from pathlib import Path
from typing import Protocol

from sapiens_common.files.images import list_images
from sapiens_common.files.text import read_lines

from .shards import ShardedImages


class TrainingImages(Protocol):
    """A sequence of encoded images with names. The order is the same in every process."""

    def __len__(self) -> int:
        """Number of images."""
        ...

    def name(self, position: int) -> str:
        """Name of an image, for messages and outputs."""
        ...

    def read(self, position: int) -> tuple[str, bytes]:
        """Name and encoded bytes of an image."""
        ...


class ImageFiles:
    """Image files.

    Args:
        files: Paths, in order.
    """

    def __init__(self, files: list[Path]) -> None:
        self.files = files

    def __len__(self) -> int:
        return len(self.files)

    def name(self, position: int) -> str:
        """Path of an image."""
        return str(self.files[position])

    def read(self, position: int) -> tuple[str, bytes]:
        """Path and encoded bytes of an image.

        Raises:
            ValueError: The file cannot be read.
        """
        path = self.files[position]
        try:
            return str(path), path.read_bytes()
        except OSError as error:
            raise ValueError(f'image {path} cannot be read: {error.strerror}') from error


def read_list(path: Path) -> list[Path]:
    """Image paths of a list file: one per line, relative to the file; empty lines and # are skipped.

    Raises:
        ValueError: The list is not text or names no image.
    """
    return [path.parent / line for line in read_lines(path)]


def _is_shard(path: Path) -> bool:
    return path.suffix.lower() == '.tar'


def open_images(images: str | Path, max_bad_shards: float = 0.5) -> TrainingImages:
    """Open images wherever they are.

    Args:
        images: A folder (searched with its subfolders), a ``.txt`` list, a ``.tar`` shard, a folder
            of shards, or a glob pattern of shards (``shards/*.tar``).
        max_bad_shards: Share of the shards that may be unreadable.

    Raises:
        ValueError: Nothing is there, or images and shards are mixed.
    """
    path = Path(images)
    if path.is_file() and path.suffix.lower() == '.txt':
        return ImageFiles(read_list(path))
    if path.is_file() and _is_shard(path):
        return ShardedImages([path], max_bad_shards)
    if path.is_dir():
        shards = sorted(filter(_is_shard, path.iterdir()))
        if not shards:
            return ImageFiles(list_images(path, recursive=True))
    else:
        shards = sorted(filter(_is_shard, map(Path, glob(str(images)))))
    if not shards:
        raise ValueError(
            f'{images}: expected a folder of images or of .tar shards, a .txt list, a .tar file, or a '
            'pattern of .tar files'
        )
    return ShardedImages(shards, max_bad_shards)
