# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Person masks from files, arrays or a function."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sapiens_common.files.maps import read_mask
from sapiens_inference.items import Item

MaskFinder = Callable[[list[Item]], None]
"""Sets ``item.mask`` of a batch of decoded items."""

_SUFFIXES = ('.png', '.npy')


def find_masks(masks: Any) -> MaskFinder | None:
    """The mask finder a user's ``masks`` argument means.

    Args:
        masks: None for none; a folder with one ``<stem>.png`` or ``<stem>.npy`` per image (the output
            of the segmentation task is one), for frames ``<stem>/000000.png`` and so on; a mask file or an
            array (H, W) for a single image; a mapping from file name, stem or path to arrays; a sequence
            with one array per image or video frame; or a function of a list of items. Values above 0 are
            people, 255 too.

    Raises:
        ValueError: A path that does not exist, or masks of no known form.
    """
    if masks is None or callable(masks):
        return masks
    if isinstance(masks, (str, Path)):
        path = Path(masks)
        if path.is_dir():
            return _Masks(lambda item: _from_folder(path, item))
        if not path.is_file():
            raise ValueError(f'masks {path}: no such file or folder')
        return _Masks(lambda item: read_mask(path))
    if isinstance(masks, np.ndarray) and masks.ndim == 2:
        return _Masks(lambda item: masks)
    if isinstance(masks, Mapping):
        return _Masks(lambda item: _from_mapping(masks, item))
    if isinstance(masks, (Sequence, np.ndarray)):
        return _Masks(lambda item: _from_sequence(masks, item), len(masks))
    raise ValueError(f'cannot read masks of type {type(masks).__name__}')


class _Masks:
    """Look a mask up for each item; an item without a fitting one fails.

    Args:
        lookup: Returns (H, W) for an item.
        count: For how many images and frames there are masks, where they are given in order.
    """

    def __init__(self, lookup: Callable[[Item], np.ndarray], count: int | None = None) -> None:
        self.lookup, self.count = lookup, count

    def __call__(self, items: list[Item]) -> None:
        for item in items:
            try:
                values = np.asarray(self.lookup(item))
                if values.dtype.kind not in 'biuf':
                    raise ValueError(
                        f'{item.label}: expected a mask as an array of numbers, got {values!r:.80}'
                    )
                mask = values > 0
                if mask.shape != item.pixels.shape[:2]:
                    raise ValueError(
                        f'{item.label}: the mask has shape {mask.shape}, the image '
                        f'{item.pixels.shape[:2]}; expected the same height and width'
                    )
                item.mask = mask
                if not mask.any():
                    item.notes.append('the person mask is empty')
            except ValueError as error:
                item.fail(str(error))


def _from_folder(folder: Path, item: Item) -> np.ndarray:
    for suffix in _SUFFIXES:
        path = folder / f'{item.file_name}{suffix}'
        if path.is_file():
            return read_mask(path)
    raise ValueError(
        f'{item.label}: no mask {item.file_name}.png or {item.file_name}.npy in {folder}'
    )


def _from_mapping(masks: Mapping[str, np.ndarray], item: Item) -> np.ndarray:
    for name in item.aliases:
        if name in masks:
            return masks[name]
    raise ValueError(f'{item.label}: no mask was given for it')


def _from_sequence(masks: Sequence[np.ndarray] | np.ndarray, item: Item) -> np.ndarray:
    if item.index >= len(masks):
        raise ValueError(f'{item.label}: only {len(masks)} masks were given')
    return masks[item.index]
