# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""A data set in zip files: plan, look at the disk, fetch, unpack one after the other."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile

from data_downloads.fetch import Remote, fetch, look_up
from data_downloads.sources import Source

from sapiens_common.progress import Progress

STATE = '.chunks'
"""Folder in the data set's with unfinished zips, and an empty file per finished one."""


def parse_chunks(text: str, count: int) -> list[int]:
    """Numbers of ``all``, ``3``, ``0-3`` or ``0-3,7``.

    Raises:
        ValueError: It is something else, or names a chunk that does not exist.
    """
    if text == 'all':
        return list(range(count))
    numbers: set[int] = set()
    for part in text.split(','):
        low, dash, high = part.partition('-')
        if not low.isdecimal() or (dash and not high.isdecimal()):
            raise ValueError(f"--chunks {text}: expected 'all', '3', '0-3' or '0-3,7'")
        numbers.update(range(int(low), int(high or low) + 1))
    if not numbers or max(numbers) >= count:
        raise ValueError(f'--chunks {text}: expected rising numbers from 0 to {count - 1}')
    return sorted(numbers)


class Plan:
    """What of a set is still to be fetched into a folder.

    Args:
        source: The set.
        chunks: Numbers of its zip files.
        out: Folder to extract to.
        base_url: Folder of the files, where a mirror is used.

    Raises:
        OSError: The server does not know a file.
    """

    def __init__(
        self, source: Source, chunks: Sequence[int], out: Path, base_url: str | None = None
    ) -> None:
        self.source, self.out = source, out
        self.url = (base_url or source.base_url).rstrip('/')
        self.state = out / STATE
        names = [source.pattern.format(number) for number in chunks]
        self.done = [name for name in names if (self.state / f'{name}.done').is_file()]
        self.remotes: dict[str, Remote] = {
            name: look_up(f'{self.url}/{name}') for name in names if name not in self.done
        }

    @property
    def download_bytes(self) -> int:
        """Bytes that are still to come."""
        return sum(remote.size for remote in self.remotes.values()) - sum(
            path.stat().st_size for path in self._kept()
        )

    @property
    def disk_bytes(self) -> int:
        """Bytes that the disk must have free: all files extracted, and the largest zip beside them."""
        sizes = [remote.size for remote in self.remotes.values()]
        return int(sum(sizes) * self.source.growth + max(sizes, default=0))

    def check_disk(self) -> None:
        """Look at the free disk before anything is fetched.

        Raises:
            ValueError: There is not enough of it.
        """
        place = self.out.absolute()
        while not place.exists():
            place = place.parent
        free = shutil.disk_usage(place).free
        if free < self.disk_bytes:
            raise ValueError(
                f'{self.out}: {gigabytes(self.disk_bytes)} are needed ({gigabytes(self.download_bytes)} of '
                f'zips, one at a time, and their content), {gigabytes(free)} are free; take fewer chunks'
            )

    def run(self, keep_zips: bool = False) -> None:
        """Fetch and unpack what is missing; the licence goes beside it.

        Raises:
            OSError: A file does not come, or the disk is full.
            ValueError: A zip is damaged.
        """
        self.state.mkdir(parents=True, exist_ok=True)
        licence = self.out / f'LICENSE-{self.source.licence}.txt'
        licence.write_text(self.source.licence_text(), 'utf-8')
        for name, remote in self.remotes.items():
            archive = self.state / name
            if not archive.is_file() or archive.stat().st_size != remote.size:
                fetch(f'{self.url}/{name}', archive, remote)
            extract(archive, self.out)
            (self.state / f'{name}.done').touch()
            if not keep_zips:
                archive.unlink()

    def _kept(self) -> list[Path]:
        """What an earlier run left of the files."""
        paths = [self.state / f'{name}{end}' for name in self.remotes for end in ('', '.part')]
        return [path for path in paths if path.is_file()]


def extract(archive: Path, out: Path) -> None:
    """Unpack the files of a zip into one flat folder; those that are there in full size are left.

    Raises:
        ValueError: It is damaged, or two of its files have one name. It is removed if it is damaged.
    """
    try:
        with ZipFile(archive) as content:
            entries = [entry for entry in content.infolist() if not entry.is_dir()]
            names = [PurePosixPath(entry.filename.replace('\\', '/')).name for entry in entries]
            if len(set(names)) < len(names):
                raise ValueError(f'{archive}: two of its files have one name; expected flat files')
            pairs = list(zip(names, entries, strict=True))
            for name, entry in Progress(
                pairs, desc=f'unpack {archive.name}', unit='file', mininterval=2
            ):
                path = out / name
                if path.is_file() and path.stat().st_size == entry.file_size:
                    continue
                partly = out / f'{name}.part'
                with content.open(entry) as source, partly.open('wb') as target:
                    shutil.copyfileobj(source, target, 1 << 20)
                os.replace(partly, path)
    except BadZipFile as error:
        archive.unlink()
        raise ValueError(
            f'{archive}: damaged on its way or at its source ({error}); it is removed, the same command '
            'fetches it again'
        ) from error


def gigabytes(count: int) -> str:
    """Bytes for people."""
    return f'{count / 1e9:.2f} GB'
