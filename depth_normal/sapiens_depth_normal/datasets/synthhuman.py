# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""SynthHuman (Saleh et al., "DAViD", ICCV 2025): rendered people with depth, normals and soft alpha."""

import os
import re
from pathlib import Path
from typing import Any

from sapiens_depth_normal.registry import DATASETS

from .folders import DenseFolderDataset, Files

FILES = {
    'image': 'rgb_{}.png',
    'mask': 'alpha_{}.png',
    'alpha': 'alpha_{}.png',
    'depth': 'depth_{}.exr',
    'normal': 'normal_{}.exr',
    'camera': 'cam_{}.txt',
}
# First id of each kind of picture, as the owners' README states them.
FRAMINGS = ((198_016, 'upper'), (98_040, 'full'), (0, 'face'))
HELD_OUT = 100  # every hundredth id


@DATASETS.register_module()
class SynthHumanDataset(DenseFolderDataset):
    """SynthHuman as it is downloaded: all files of the extracted chunks in one flat folder.

    Depth is read as metres, 65504 as "no surface", the normals' channels R, G, B as Z, Y, X. The mask are
    the pixels with full alpha: partial alpha may have no depth. Camera files are needed only with
    ``targets`` that contain ``camera``. ``tools/data/download.py synthhuman`` gets the set.

    Args:
        targets: What to read beside image and mask: ``depth``, ``normal``, ``alpha``, ``camera``.
        split: ``train`` leaves out every hundredth id (those that end in 00), ``val`` takes them alone, None
            takes all. The owners give no split.
        **kwargs: As :class:`DenseFolderDataset`; ``framing`` follows from the ids.

    Raises:
        ValueError: Unknown split or target, or no sample has all files.
    """

    MAP_FORMAT = {
        'mask_threshold': 254,
        'depth_unit': 0.01,
        'no_surface': 65504,
        'channel_order': 'zyx',
    }

    def __init__(self, targets: list[str], split: str | None = None, **kwargs: Any) -> None:
        if split not in ('train', 'val', None):
            raise ValueError(f"split {split!r} is neither 'train' nor 'val' nor None")
        self.split = split
        unknown = set(targets) - set(FILES)
        if unknown:
            raise ValueError(f'SynthHuman has no {sorted(unknown)}; it has {list(FILES)}')
        super().__init__(targets=targets, **kwargs)

    def index(self, root: Path, folders: dict[str, str]) -> dict[str, Files]:
        """Files by kind and id of the split."""
        if not root.is_dir():
            raise ValueError(f'{root} does not exist; expected a folder of rgb_0000000.png, ...')
        patterns = {kind: re.compile(FILES[kind].format(r'(\d{7})')) for kind in self.kinds}
        files: dict[str, Files] = {kind: {} for kind in self.kinds}
        for name in os.listdir(root):  # a million and a half of them: no stat, no sorting
            for kind, pattern in patterns.items():
                match = pattern.fullmatch(name)
                if match and self._takes(match[1]):
                    files[kind][match[1]] = root / name
        return files

    def _takes(self, number: str) -> bool:
        """Whether an id is in the split."""
        return self.split is None or (int(number) % HELD_OUT == 0) == (self.split == 'val')

    def _set_framings(self, samples: list[dict[str, Any]]) -> None:
        """Give every sample the framing that its id stands for."""
        for sample in samples:
            number = int(sample['sample_id'])
            sample['framing'] = next(name for first, name in FRAMINGS if number >= first)
