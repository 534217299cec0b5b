# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Progress of long jobs: a bar in a terminal, a line every few seconds in a log."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from tqdm import tqdm

LOG_SECONDS = 5.0
"""Between two lines of a log."""
_LINE = '{desc}: {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_fmt}{postfix}]'


class Progress(tqdm):
    """``tqdm`` for people and for logs; arguments are tqdm's.

    Where the output is not a terminal (a file, a pipe, a batch system), there are whole lines instead of a
    bar that is drawn over and over, at most one in :data:`LOG_SECONDS` besides the first and the last.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if _is_terminal(kwargs.get('file') or sys.stderr):
            kwargs.setdefault('dynamic_ncols', True)
        else:
            kwargs.setdefault('desc', 'progress')
            # Zero iterations between two looks at the clock: a slow item must not hide the next line.
            kwargs.update(mininterval=LOG_SECONDS, miniters=0, bar_format=_LINE)
        super().__init__(*args, **kwargs)

    @staticmethod
    def status_printer(file: Any) -> Callable[[str], None]:
        """What writes the state: over the line before in a terminal, below it in a log."""
        if _is_terminal(file):
            return tqdm.status_printer(file)

        def write_line(text: str) -> None:
            if text.strip():
                file.write(f'{text.strip()}\n')
                file.flush()

        return write_line


def _is_terminal(file: Any) -> bool:
    return bool(getattr(file, 'isatty', bool)())
