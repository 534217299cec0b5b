# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Checkpoint files that are either complete or not there, and finding the newest of them."""

import re
from pathlib import Path
from typing import Any

import torch
from mmengine.logging import MMLogger

from sapiens_common.files.atomic import PARTIAL_SUFFIX, write_atomically
from sapiens_common.unpickling import load_data

_NUMBERED = re.compile(r'^(?P<prefix>.*?)(?P<number>\d+)\.pth$')


def save_checkpoint_file(content: dict[str, Any], path: str | Path) -> None:
    """Write a checkpoint atomically, without holding a second copy of it in memory.

    Raises:
        OSError: As :func:`~sapiens_common.files.atomic.write_atomically`.
    """
    write_atomically(path, lambda file: torch.save(content, file))


def remove_partial_files(folder: str | Path) -> None:
    """Delete what killed processes left half-written."""
    for path in Path(folder).glob(f'.*.pth{PARTIAL_SUFFIX}'):
        path.unlink(missing_ok=True)


def read_progress(path: str | Path) -> tuple[int, int] | None:
    """Iterations and epochs of a checkpoint.

    Returns:
        (iterations, epochs), or None for one that holds no training state.

    Raises:
        ValueError: The file is torn or no checkpoint.
    """
    try:
        # Mapped: only the index of the file is read, not its tensors.
        content, _ = load_data(path, mmap=True)
        if 'optimizer' not in content or 'message_hub' not in content:
            return None
        return int(content['meta']['iter']), int(content['meta']['epoch'])
    # A damaged file can fail in any way while it is parsed.
    except Exception as error:
        raise ValueError(
            f'checkpoint {path} is torn or no checkpoint ({type(error).__name__}: {error})'
        ) from error


def find_newest_checkpoint(folder: str | Path) -> Path | None:
    """The complete checkpoint of a folder with the most iterations.

    Files are numbered as mmengine's hook does (``epoch_3.pth``, ``iter_2000.pth``); of each prefix the
    highest number that can be read counts. The ``last_checkpoint`` file is not asked: a process
    killed between two writes leaves it behind the truth.

    Returns:
        The file, or None where there is nothing to resume from.

    Raises:
        ValueError: There are checkpoints and every one is torn: starting anew would overwrite them.
    """
    numbered: dict[str, list[tuple[int, Path]]] = {}
    for path in Path(folder).glob('*.pth'):
        match = _NUMBERED.match(path.name)
        if match and not path.name.startswith('best_'):
            numbered.setdefault(match['prefix'], []).append((int(match['number']), path))
    candidates, torn = [], []
    for paths in numbered.values():
        for _, path in sorted(paths, reverse=True):
            try:
                progress = read_progress(path)
            except ValueError as error:
                MMLogger.get_current_instance().warning(f'passed over: {error}')
                torn.append(path.name)
                continue
            if progress is not None:
                candidates.append((progress, path))
                break
    if torn and not candidates:
        raise ValueError(
            f'{folder}: no checkpoint can be resumed from, {", ".join(torn)} cannot be read. Move '
            'them away to start anew'
        )
    return max(candidates)[1] if candidates else None
