# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Paths that come out of files other people wrote."""

import posixpath
from pathlib import PurePosixPath, PureWindowsPath


def leaves_root(name: str) -> bool:
    r"""Whether a path named in a file points out of the folder it is meant to lie below.

    Decided by the text alone: links that the owner of the folder has put there are followed.

    Args:
        name: Relative path with ``/`` or ``\\``. Absolute ones and those with a drive leave.
    """
    if PurePosixPath(name).is_absolute() or PureWindowsPath(name).anchor:
        return True
    return posixpath.normpath(name.replace('\\', '/')).split('/')[0] == '..'
