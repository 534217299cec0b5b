# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""P3M-10k (Li et al., "Privacy-Preserving Portrait Matting", ACM MM 2021): alpha of real portraits."""

from pathlib import Path
from typing import Any

from sapiens_depth_normal.registry import DATASETS

from .folders import DenseFolderDataset, Files, index_folder

# Folder and image folder of each part; the photos of P3M-500-NP show faces that may be shown.
PARTS = {
    'train': ('train', 'blurred_image'),
    'P3M-500-P': ('validation/P3M-500-P', 'blurred_image'),
    'P3M-500-NP': ('validation/P3M-500-NP', 'original_image'),
}


@DATASETS.register_module()
class P3MDataset(DenseFolderDataset):
    """One part of P3M-10k as it is downloaded: photo, alpha, and for validation a trimap.

    The mask are the pixels with full alpha, the only ones whose foreground colour a photo shows.

    Args:
        part: ``train`` (9,421 photos), ``P3M-500-P`` (faces blurred) or ``P3M-500-NP``.
        **kwargs: As :class:`DenseFolderDataset`. ``targets`` are ``alpha`` and in validation ``trimap``
            unless they are given; ``framing`` is the part.

    Raises:
        ValueError: Unknown part, a folder is missing, or no photo has an alpha.
    """

    MAP_FORMAT = {'mask_threshold': 254}

    def __init__(self, part: str, **kwargs: Any) -> None:
        if part not in PARTS:
            raise ValueError(f'part {part!r} is not one of {list(PARTS)}')
        self.part = part
        targets = ['alpha'] if part == 'train' else ['alpha', 'trimap']
        super().__init__(**{'targets': targets, **kwargs})

    def index(self, root: Path, folders: dict[str, str]) -> dict[str, Files]:
        """Files by kind and name."""
        place, images = PARTS[self.part]
        alphas = index_folder(root / place, 'alpha', folders.get('alpha', 'mask'))
        files = {
            'image': index_folder(root / place, 'image', folders.get('image', images)),
            'mask': alphas,
            'alpha': alphas,
        }
        if 'trimap' in self.kinds:
            files['trimap'] = index_folder(root / place, 'trimap', folders.get('trimap', 'trimap'))
        return files

    def _set_framings(self, samples: list[dict[str, Any]]) -> None:
        """Metrics tabulate by part."""
        for sample in samples:
            sample['framing'] = self.part
