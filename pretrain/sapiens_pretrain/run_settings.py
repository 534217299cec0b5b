# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""A folder of results belongs to one run: what it was made with is written down, and compared later."""

import json
from pathlib import Path
from typing import Any

from sapiens_common.files.atomic import write_text_atomically


def check_settings(path: Path, settings: dict[str, Any]) -> None:
    """Write down what a run is, or compare with what an earlier start of it wrote.

    Args:
        path: JSON file in the output folder, which is made when missing.
        settings: All that the results depend on.

    Raises:
        ValueError: The folder holds the results of other settings.
    """
    text = json.dumps(settings, indent=2, sort_keys=True, default=str) + '\n'
    if path.is_file():
        there = path.read_text(encoding='utf-8')
        if there != text:
            raise ValueError(
                f'{path} is of a run with other inputs or settings; choose another output folder, or '
                f'delete this one. There: {there}here: {text}'
            )
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text_atomically(path, text)
