# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Lists and JSON files that users write, with errors that name the file."""

import json
from pathlib import Path
from typing import Any


def read_lines(path: str | Path) -> list[str]:
    """The lines of a UTF-8 list, without surrounding spaces, empty ones and comments (``#``).

    Raises:
        ValueError: The file is missing, is not text, or names nothing.
    """
    lines = [line.strip() for line in _read(path).splitlines()]
    lines = [line for line in lines if line and not line.startswith('#')]
    if not lines:
        raise ValueError(f'list {path} is empty; expected one name per line')
    return lines


def read_json(path: str | Path) -> Any:
    """The content of a JSON file.

    Raises:
        ValueError: The file is missing or no JSON.
    """
    try:
        return json.loads(_read(path))
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f'{path} is not readable JSON: {error}') from error


def _read(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding='utf-8-sig')  # some editors write a byte order mark
    except FileNotFoundError as error:
        raise ValueError(f'{path} does not exist') from error
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f'{path} cannot be read as UTF-8 text: {error}') from error
