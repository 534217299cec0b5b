# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Version windows of the upstream libraries, and every shim that a window makes necessary.

Each shim names its cause and its version range; ``tests/common/test_compat.py`` fails when one is
no longer needed.
"""

from collections.abc import Callable
from importlib import metadata
from pickle import UnpicklingError

from packaging.version import Version

# module -> ((distribution, at least, below), ...). The first installed distribution decides. The
# onedl-* forks keep upstream's import names and lifted the caps between their libraries.
WINDOWS = {
    'mmengine': (('mmengine', '0.10.7', '1.0.0'), ('onedl-mmengine', '0.10.9', '1.0.0')),
    'mmcv': (
        ('mmcv', '2.0.0rc4', '2.2.0'),
        ('mmcv-lite', '2.0.0rc4', '2.2.0'),
        ('onedl-mmcv', '2.3.0', '3.0.0'),
    ),
    'mmdet': (('mmdet', '3.3.0', '3.4.0'), ('onedl-mmdetection', '3.4.0', '4.0.0')),
    'mmpose': (('mmpose', '1.3.2', '1.4.0'),),
    'mmseg': (('mmsegmentation', '1.2.2', '1.3.0'), ('onedl-mmsegmentation', '1.3.0', '2.0.0')),
    'mmpretrain': (('mmpretrain', '1.2.0', '1.3.0'), ('onedl-mmpretrain', '1.3.0', '2.0.0')),
}


def check_versions(*modules: str) -> None:
    """Check that the upstream libraries a package needs are installed in the tested window.

    Args:
        *modules: Import names, keys of :data:`WINDOWS`.

    Raises:
        ImportError: A library is missing or outside its window; the text says what to install.
    """
    for module in modules:
        for distribution, low, high in WINDOWS[module]:
            try:
                found = metadata.version(distribution)
            except metadata.PackageNotFoundError:
                continue
            if not Version(low) <= Version(found) < Version(high):
                raise ImportError(
                    f'{distribution} {found} is installed, but this suite was tested with '
                    f'{low} <= {distribution} < {high}. Install one of those: '
                    f'pip install "{distribution}>={low},<{high}"'
                )
            break
        else:
            distribution, low, high = WINDOWS[module][0]
            raise ImportError(
                f'{module} is not installed. Run "bash tools/install.sh" for a tested environment, '
                f'or: pip install "{distribution}>={low},<{high}"'
            )


def register_safe_globals() -> None:
    """Let ``torch.load(weights_only=True)`` read the checkpoints that mmengine itself writes.

    Cause: since torch 2.6 ``torch.load`` refuses every global that is not allow-listed, and mmengine
    <= 0.10.7 stores its message hub (``HistoryBuffer``) and NumPy scalars, so neither loading nor
    resuming its own files works. The listed globals only rebuild data, they run no code of the file.
    """
    import numpy as np
    import torch
    from mmengine.logging import HistoryBuffer

    # The same functions live under both names; NumPy 1 and 2 pickle under different ones, and a
    # file written by either must be readable. The pickle opcodes of an array name them.
    array, scalar = np.zeros(1), np.float64(0)
    reconstruct, make_scalar = array.__reduce__()[0], scalar.__reduce__()[0]
    allowed: list = []
    for module in ('numpy.core.multiarray', 'numpy._core.multiarray'):
        allowed += [(reconstruct, f'{module}._reconstruct'), (make_scalar, f'{module}.scalar')]
    allowed.append((_history_statistic, 'builtins.getattr'))
    allowed += [HistoryBuffer, np.ndarray, np.dtype]
    allowed += [type(np.dtype(code)) for code in ('f2', 'f4', 'f8', 'i4', 'i8', 'u1', 'u8', '?')]
    torch.serialization.add_safe_globals(allowed)


def _history_statistic(owner: type, name: str) -> Callable:
    """Stand-in for ``getattr`` in a checkpoint: only the statistics a message hub's buffer lists."""
    from mmengine.logging import HistoryBuffer

    # The class's table of statistics is empty until the first instance fills it.
    methods = HistoryBuffer()._statistics_methods
    if owner is not HistoryBuffer or name not in methods:
        raise UnpicklingError(f'getattr({owner!r}, {name!r}) is not data')
    return methods[name]
