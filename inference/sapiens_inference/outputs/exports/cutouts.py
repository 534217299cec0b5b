# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""People and parts cut out of their photo, as RGBA pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from .coco import person_masks
from .registry import register_export
from .run_folder import Record, RunFolder
from .writing import stem_path


def foreground_of(record: Record) -> np.ndarray | None:
    """uint8 (H, W): the soft edge of a matting, else 255 on every part."""
    cut = record.array('matting')
    if cut is not None:
        return cut[..., 3]
    labels = record.array('seg')
    return None if labels is None else np.where(labels > 0, 255, 0).astype(np.uint8)


def _save(record: Record, rgb: np.ndarray, alpha: np.ndarray, path: Path) -> Path:
    Image.fromarray(np.dstack([rgb, alpha])).save(path)
    return path


@register_export('cutouts', needs=('seg', 'matting'))
def write_cutouts(run: RunFolder, out: Path) -> list[Path]:
    """RGBA PNG of all people, and one per person where keypoints tell them apart.

    The alpha is that of the matting where the run has one (with its colours freed of the background), else that of
    the body parts.
    """
    written = []
    for record in run.shown('seg', 'matting', coloured='matting'):
        alpha = foreground_of(record)
        assert alpha is not None
        cut = record.array('matting')
        rgb = record.pixels()[..., ::-1] if cut is None else cut[..., :3]
        written.append(_save(record, rgb, alpha, stem_path(out, record.stem, '.png')))
        masks = person_masks(record)
        for number, mask in enumerate(masks or []):
            path = stem_path(out, record.stem, f'_person{number}.png')
            written.append(_save(record, rgb, np.where(mask, alpha, 0).astype(np.uint8), path))
    return written


@register_export('parts', needs=('seg',))
def write_parts(run: RunFolder, out: Path) -> list[Path]:
    """RGBA PNG of every body part that is there: ``<stem>_<class id>_<name>.png``."""
    written = []
    for record in run.shown('seg'):
        labels = record.array('seg')
        assert labels is not None
        rgb = record.pixels()[..., ::-1]
        names = run.class_names
        for number in np.unique(labels[labels > 0]).tolist():
            name = names[number] if number < len(names) else 'class'
            alpha = np.where(labels == number, 255, 0).astype(np.uint8)
            path = stem_path(out, record.stem, f'_{number:02d}_{name}.png')
            written.append(_save(record, rgb, alpha, path))
    return written
