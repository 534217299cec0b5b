# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Public data sets that come without a form: where their files are, and under which licence."""

from dataclasses import dataclass
from pathlib import Path

LICENCES = Path(__file__).resolve().parent / 'licences'


@dataclass(frozen=True)
class Source:
    """A set in numbered zip files that are extracted into one flat folder.

    Attributes:
        title: What it is, for people.
        home: Page of its owners.
        base_url: Folder of its files.
        pattern: Name of a file by its number.
        chunks: How many there are.
        licence: Name of the licence, and of its text in ``licences/`` (without suffix).
        growth: Extracted bytes per byte of zip, at most; for the look at the free disk.
    """

    title: str
    home: str
    base_url: str
    pattern: str
    chunks: int
    licence: str
    growth: float

    def licence_text(self) -> str:
        """The licence in full."""
        return (LICENCES / f'{self.licence}.txt').read_text('utf-8')


SOURCES = {
    'synthhuman': Source(
        title='SynthHuman (Microsoft): 298,008 rendered people with depth, normals, alpha, camera',
        home='https://github.com/microsoft/DAViD',
        base_url='https://facesyntheticspubwedata.z6.web.core.windows.net/iccv-2025/data',
        pattern='SynthHuman_{:04d}.zip',
        chunks=60,
        licence='CDLA-Permissive-2.0',
        # 5,000 samples of 1.9 MB, as measured on three, against zips of up to 8.75 GB.
        growth=1.2,
    )
}
