# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Maps in OpenEXR files, alone or as one of the layers that renderers write."""

from pathlib import Path

import numpy as np

from sapiens_common.files.headers import MAX_PIXELS


def read_exr(path: Path, layers: tuple[str, ...]) -> np.ndarray:
    """Read one map: R, G, B or X, Y, Z as (H, W, 3), a single channel as (H, W).

    Args:
        path: The file.
        layers: Names, in lower case, of the layer or of the channel to take where there are several.

    Raises:
        ValueError: The file cannot be read, or it is not clear which channels are meant.
    """
    try:
        import OpenEXR  # OpenCV's wheels are built without it; only users of such files need it
    except ImportError as error:
        raise ValueError(f'{path}: reading exr files needs "pip install OpenEXR"') from error
    if not path.is_file():
        raise ValueError(f'{path} does not exist')
    try:
        with OpenEXR.File(str(path), header_only=True) as file:
            low, high = file.header()['dataWindow']
    except (RuntimeError, OSError) as error:
        raise ValueError(f'{path} cannot be read: {error}') from error
    if np.prod(np.subtract(high, low, dtype=float) + 1) > MAX_PIXELS:
        raise ValueError(f'{path} claims the pixels {low} to {high}, more than {MAX_PIXELS}')
    try:
        with OpenEXR.File(str(path), separate_channels=True) as file:
            channels = {name: channel.pixels for name, channel in file.channels().items()}
    except (RuntimeError, OSError, ValueError) as error:
        raise ValueError(
            f'{path} cannot be read, its pixels are cut off or damaged ({error}); get the file again'
        ) from error
    found = choose_channels(list(channels), layers)
    if not found:
        raise ValueError(
            f'{path}: expected one channel, or R, G, B or X, Y, Z, alone or in one layer called '
            f'{" or ".join(layers)}; got {list(channels)}'
        )
    planes = [channels[name] for name in found]
    return planes[0] if len(planes) == 1 else np.stack(planes, axis=-1)


def choose_channels(names: list[str], layers: tuple[str, ...]) -> list[str]:
    """The channels of a file that hold the wanted map, in order; empty where that is not clear.

    Channels are called ``<layer>.<channel>``, and layers may have several parts (``View.Normal.X``).
    The layer of that name counts, else the only one there is, else the channels without a layer.
    """
    groups: dict[str, dict[str, str]] = {}
    for name in names:
        layer, _, channel = name.rpartition('.')
        groups.setdefault(layer, {})[channel.upper()] = name
    wanted = [layer for layer in groups if set(layers) & set(layer.lower().split('.'))]
    if not wanted:
        wanted = list(groups) if len(groups) == 1 else [layer for layer in groups if not layer]
    if len(wanted) != 1:
        return []
    group = groups[wanted[0]]
    single = [name for channel, name in group.items() if channel.lower() in layers]
    if len(single) == 1 and not set('XYZ') <= set(group):  # a vector's Z is not a depth
        return single
    for letters in ('RGB', 'XYZ'):
        if set(letters) <= set(group):
            return [group[letter] for letter in letters]
    return list(group.values()) if len(group) == 1 else []
