# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Files of safetensors."""

from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor


def save_tensors(path: str | Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write tensors to a file that others may read: safetensors 0.8 lets nobody but its owner.

    Args:
        path: The file. One that is there keeps its mode, a new one gets that of the umask.
        tensors: Contiguous ones that share no memory.
        metadata: Texts beside them; readers of other libraries expect ``{'format': 'pt'}``.
    """
    path = Path(path)
    path.touch()
    mode = path.stat().st_mode
    save_file(tensors, path, metadata=metadata)
    path.chmod(mode)
