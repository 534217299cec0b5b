# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What several formats need to write their files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def stem_path(folder: Path, stem: str, suffix: str) -> Path:
    """``<folder>/<stem><suffix>``, with the folders above it made."""
    path = folder / f'{stem}{suffix}'
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def write_json(path: Path, content: Any) -> Path:
    """Write a JSON file; NaN is an error, because few readers take it."""
    path.write_text(json.dumps(content, allow_nan=False), encoding='utf-8')
    return path
