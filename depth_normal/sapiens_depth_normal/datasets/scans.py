# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The evaluation sets of the paper, as far as their layouts are public: renders a user makes."""

from pathlib import Path
from typing import Any

from sapiens_depth_normal.registry import DATASETS

from .folders import ANNOTATIONS, DenseFolderDataset


@DATASETS.register_module()
class THuman2Renders(DenseFolderDataset):
    """Renders of the THuman2.0 scans in the paper's three framings: face, upper and full body.

    The paper's own renders are not shared; ``tools/data/render_humans.py --preset thuman2 --scans DIR`` makes
    such a set. Metrics tabulate each framing alone.

    Args:
        framing: As :class:`DenseFolderDataset`.
        **kwargs: As :class:`DenseFolderDataset`.

    Raises:
        ValueError: A sample has no framing.
    """

    def __init__(self, framing: str = ANNOTATIONS, **kwargs: Any) -> None:
        super().__init__(framing=framing, **kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        """Paths of every sample, sorted by name, each with its framing."""
        samples = super().load_data_list()
        without = [sample['sample_id'] for sample in samples if not sample['framing']]
        if without:
            raise ValueError(
                f'{self.data_root}: {len(without)} of {len(samples)} samples have no framing in '
                f'{self.framing}/*.json, first {without[0]!r}; renders of one framing can be read as '
                "sapiens_depth_normal.DenseFolderDataset with framing='face'"
            )
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

    def match(self, root: Path, folders: dict[str, str], prefix: str = '') -> list[dict[str, Any]]:
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
                samples += super().match(
                    action, folders, f'{prefix}{action.relative_to(root).as_posix()}/'
                )
        return samples
