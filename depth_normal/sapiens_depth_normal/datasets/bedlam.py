# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""BEDLAM 1 and 2 (Black et al., CVPR 2023): rendered people in motion, as their render tools write them."""

import re
from pathlib import Path
from typing import Any

from sapiens_depth_normal.registry import DATASETS

from .folders import DenseFolderDataset, Files

# Folder and end of the name of each kind of file, by version; a frame is what stands before the end.
LAYOUTS = {
    1: {
        'image': ('png', r'(?:\.png|\.jpg)'),
        'mask': ('masks', r'_\d+_(?:body|clothing|hair)\.png'),
        'depth': ('depth', r'_depth\.exr'),
    },
    2: {
        'image': ('exr_layers/image', r'(?:_image)?\.(?:png|jpg)'),
        'mask': ('exr_layers/masks', r'_\d+_(?:body|clothing|hair)\.png'),
        'depth': ('exr_layers/depth', r'_depth\.exr'),
        'normal': ('exr_layers/cameranormal', r'_cameranormal\.png'),
    },
}


@DATASETS.register_module()
class BedlamDataset(DenseFolderDataset):
    """Frames of one scene: photo, depth, and of version 2 normals, on the pixels of all its people.

    The mask is the union of the files of body, clothing and hair of every person. Depth is taken as
    centimetres, which the owners do not state: ``tools/data/check_dataset.py`` says whether it fits, and
    which ``channel_order`` the normals have. Scenes whose pictures are turned by 90 degrees must be turned
    upright with all their files first.

    Args:
        version: 1 or 2.
        **kwargs: As :class:`DenseFolderDataset`; ``folders`` names other folders than those of the render
            tools, where a download differs.

    Raises:
        ValueError: Unknown version, a target that it does not have, a folder is missing, or no frame has
            all files.
    """

    MAP_FORMAT = {'depth_unit': 0.01}

    def __init__(self, targets: list[str], version: int = 1, **kwargs: Any) -> None:
        if version not in LAYOUTS:
            raise ValueError(f'version {version!r} of BEDLAM is neither 1 nor 2')
        unknown = set(targets) - set(LAYOUTS[version])
        if unknown:
            raise ValueError(
                f'BEDLAM {version} has no {sorted(unknown)}; it has {list(LAYOUTS[version])}'
            )
        self.version = version
        super().__init__(targets=targets, **kwargs)

    def index(self, root: Path, folders: dict[str, str]) -> dict[str, Files]:
        """Files by kind and ``<sequence>/<frame>``; several masks per frame."""
        found: dict[str, Files] = {}
        for kind in self.kinds:
            place, end = LAYOUTS[self.version][kind]
            folder = root / folders.get(kind, place)
            if not folder.is_dir():
                raise ValueError(f'no folder of {kind} files: expected {folder}')
            pattern = re.compile(f'(.+?){end}', re.IGNORECASE)
            files: Files = {}
            for path in sorted(folder.rglob('*')):
                match = pattern.fullmatch(path.relative_to(folder).as_posix())
                if match is None:
                    continue
                known = files.get(match[1])
                if kind == 'mask':
                    files[match[1]] = [*known, path] if isinstance(known, list) else [path]
                elif known is None:
                    files[match[1]] = path
                else:
                    raise ValueError(f'{known} and {path} are the same frame; keep one of them')
            found[kind] = files
        return found
