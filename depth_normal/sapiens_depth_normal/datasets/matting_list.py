# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Matting samples from lists: photos with their alphas, or cut-outs."""

from pathlib import Path
from typing import Any

from mmengine.dataset import BaseDataset

from sapiens_common.files.text import read_json, read_lines
from sapiens_depth_normal.registry import DATASETS


@DATASETS.register_module()
class MattingListDataset(BaseDataset):
    """Matting samples that a file lists, by paths relative to ``data_root``.

    A ``.json`` list holds ``{"image": PHOTO, "mask": ALPHA}``; the alpha is a grey picture, or the fourth channel
    of one with colours. Pipelines start with ``LoadMaps``. Any other file is text with one cut-out per line, a
    picture with straight colours and an alpha channel. Pipelines start with ``LoadCutout`` and, in training,
    ``CompositeCutout``.

    Args:
        ann_file: The list, in ``data_root``.
        **kwargs: Arguments of mmengine's ``BaseDataset`` (``data_root``, ``pipeline``, ...).

    Raises:
        ValueError: The list is empty, an entry is not as above, or its file does not exist.
    """

    def load_data_list(self) -> list[dict[str, Any]]:
        """Paths of every sample, in the order of the list."""
        listed = Path(self.ann_file)
        if listed.suffix == '.json':
            samples = [self._pair(entry) for entry in read_json(listed)]
        else:
            samples = [{'img_path': self._path(line)} for line in read_lines(listed)]
        if not samples:
            raise ValueError(f'{listed} lists nothing')
        return [{**sample, 'sample_id': Path(sample['img_path']).stem} for sample in samples]

    def _pair(self, entry: Any) -> dict[str, Any]:
        """A photo and its alpha."""
        if not isinstance(entry, dict) or not {'image', 'mask'} <= set(entry):
            raise ValueError(
                f'{self.ann_file}: expected entries {{"image": ..., "mask": ...}}, got {entry!r}'
            )
        return {'img_path': self._path(entry['image']), 'alpha_path': self._path(entry['mask'])}

    def _path(self, name: str) -> str:
        path = Path(self.data_root or '', name)
        if not path.is_file():
            raise ValueError(f'{self.ann_file} lists {name!r}, but {path} does not exist')
        return str(path)
