# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Paths of exported files."""

from __future__ import annotations

from pathlib import Path


def stem_path(folder: Path, stem: str, suffix: str) -> Path:
    """``<folder>/<stem><suffix>``, with the folders above it made."""
    path = folder / f'{stem}{suffix}'
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
