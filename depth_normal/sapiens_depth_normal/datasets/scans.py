# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The evaluation sets of the paper, as far as their layouts are public: renders a user makes."""

from pathlib import Path
from typing import Any

from sapiens_depth_normal.registry import DATASETS

from .folders import DenseFolderDataset

FRAMINGS = ('face', 'upper_body', 'full_body')


@DATASETS.register_module()
class THuman2Renders(DenseFolderDataset):
    """Renders of the THuman2.0 scans in the paper's three framings.

    The paper's own renders are not shared. Expected are the folders ``face``, ``upper_body`` and
    ``full_body`` below ``data_root``, each laid out as :class:`DenseFolderDataset` reads it. Metrics
    tabulate each framing alone.

    Args:
        framings: Which of the folders to read.
        **kwargs: As :class:`DenseFolderDataset`.
    """

    def __init__(self, framings: tuple[str, ...] = FRAMINGS, **kwargs: Any) -> None:
        self.framings = tuple(framings)
        super().__init__(**kwargs)

    def match(self, root: Path, folders: dict[str, str], *args: Any) -> list[dict[str, Any]]:
        """Samples of all framings, in their order, sorted by name within each."""
        samples: list[dict[str, Any]] = []
        for framing in self.framings:
            samples += super().match(root / framing, folders, framing, f'{framing}/')
        return samples


@DATASETS.register_module()
class Hi4DRenders(DenseFolderDataset):
    """Hi4D frames with depth or normals that were rendered from its meshes.

    Images and masks lie where Hi4D has them, ``<pair>/<action>/images/<camera>/*.jpg`` and
    ``<pair>/<action>/seg/img_seg_mask/<camera>/all/*.png``; the maps are expected as
    ``<pair>/<action>/depth/<camera>/*`` and ``<pair>/<action>/normal/<camera>/*`` under the image's
    name. The defaults are the paper's evaluation subset (pairs 28, 32 and 37, camera 4).

    Args:
        pairs: Numbers of the pairs.
        camera: Number of the camera.
        **kwargs: As :class:`DenseFolderDataset`.

    Raises:
        ValueError: A pair has no folder or no action.
    """

    def __init__(
        self, pairs: tuple[int, ...] = (28, 32, 37), camera: int = 4, **kwargs: Any
    ) -> None:
        self.pairs = tuple(pairs)
        self.camera = camera
        super().__init__(**kwargs)

    def match(self, root: Path, folders: dict[str, str], *args: Any) -> list[dict[str, Any]]:
        """Samples of all pairs and actions, sorted."""
        folders = {
            'image': f'images/{self.camera}',
            'mask': f'seg/img_seg_mask/{self.camera}/all',
            'depth': f'depth/{self.camera}',
            'normal': f'normal/{self.camera}',
            **folders,
        }
        samples: list[dict[str, Any]] = []
        for pair in self.pairs:
            # Some pairs come in two parts, pair19_1 and pair19_2.
            found = root.glob(f'pair{pair:02d}*/*/images')
            actions = sorted(path.parent for path in found)
            if not actions:
                raise ValueError(f'{root}: no pair{pair:02d}*/<action>/images/{self.camera}')
            for action in actions:
                prefix = f'{action.relative_to(root).as_posix()}/'
                samples += super().match(action, folders, None, prefix)
        return samples
