# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The evaluation sets of the paper, as far as their layouts are public: renders a user makes."""

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
