# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Samples from folders of images, masks and target maps that share their file names."""

from pathlib import Path
from typing import Any

from mmengine.dataset import BaseDataset
from mmengine.logging import MMLogger

from sapiens_common.files.images import IMAGE_SUFFIXES
from sapiens_common.files.maps import MASK_SUFFIXES
from sapiens_common.files.text import read_json, read_lines
from sapiens_depth_normal.registry import DATASETS
from sapiens_inference.annotate.dataset import is_manifest, read_samples

from .files import MAP_SUFFIXES

# Folder names in the order they are looked for: RenderPeople-style renders, then general folders.
FOLDERS = {
    'image': ('rgb', 'images'),
    'mask': ('mask', 'masks'),
    'depth': ('depth', 'depths'),
    'normal': ('normal', 'normals'),
    'albedo': ('albedo', 'albedos'),
    'alpha': ('alpha', 'alphas'),
    'trimap': ('trimap', 'trimaps'),
    'camera': ('camera_intrinsics', 'cameras', 'records'),
    'segmentation': ('segmentations',),
}
SUFFIXES = {
    'image': IMAGE_SUFFIXES,
    'mask': MASK_SUFFIXES,
    'depth': MAP_SUFFIXES,
    'normal': MAP_SUFFIXES,
    'albedo': ('.png',),
    'alpha': ('.png',),
    'trimap': ('.png',),
    'camera': ('.txt', '.json'),
    'segmentation': ('.png',),
}


Files = dict[str, Path | list[Path]]
"""Files of one kind by sample name; several where they are put together (masks of several people)."""

LABELS = {
    'mask': '.seg.png',
    'segmentation': '.seg.png',
    'depth': '.depth.npz',
    'normal': '.normal.npz',
    'albedo': '.albedo.png',
}
"""Members of the shards of tools/annotate.py."""

ANNOTATIONS = 'annotations'
"""Folder of COCO files in sets of tools/data/render_humans.py."""


@DATASETS.register_module()
class DenseFolderDataset(BaseDataset):
    """Images with person masks and depth, normals or both, matched by file name.

    ``data_root`` holds ``rgb/ mask/ depth/ normal/`` (RenderPeople) or ``images/ masks/ depths/ normals/``.
    Samples are the names that all needed folders have, sorted: every process sees the same list.
    Subfolders count, as part of the name. A sample is a dict of paths (``img_path``, ``mask_path``,
    ``depth_path``, ...) and ``sample_id``; the pipeline reads them with ``LoadMaps``.

    Args:
        data_root: Folder of the set.
        targets: What to read beside image and mask: ``depth``, ``normal``, ``albedo``, ``alpha``, ``trimap``,
            ``camera`` (3 x 3 intrinsics as text, or records of rendered people), ``segmentation``.
        ann_file: Text file in ``data_root`` with one name per line that selects samples (``train.txt``). Or the
            ``manifest.json`` of labels that tools/annotate.py has made in ``data_root``.
        folders: Folder per kind (``image``, ``mask``, ``depth``, ...) where the usual names do not fit;
            relative to ``data_root`` or absolute, so masks may come from any source.
        framing: The framing under which the metrics tabulate samples: one name for all (``face``), or
            where each image's stands: a COCO file whose images have a ``framing``, or a folder of such
            files, relative to ``data_root`` (``annotations`` in sets of tools/data/render_humans.py).
        **kwargs: Arguments of mmengine's ``BaseDataset`` (``pipeline``, ``indices``, ...).

    Raises:
        ValueError: A folder, list or file of framings is missing, two files have the same name, no name
            is in all folders, or a listed name is not.
    """

    MAP_FORMAT: dict[str, Any] = {}
    """How the files of a set are written, where it is known: arguments of ``LoadMaps``."""

    def __init__(
        self,
        data_root: str,
        targets: tuple[str, ...] | list[str],
        ann_file: str = '',
        folders: dict[str, str] | None = None,
        framing: str | None = None,
        **kwargs: Any,
    ) -> None:
        unknown = set(targets) - (set(FOLDERS) - {'image', 'mask'})
        if unknown or not targets:
            known = ', '.join(kind for kind in FOLDERS if kind not in ('image', 'mask'))
            raise ValueError(f'targets {targets}: expected some of {known}')
        self.kinds = ('image', 'mask', *targets)
        self.folders = dict(folders or {})
        self.framing = framing
        super().__init__(ann_file=ann_file, data_root=data_root, data_prefix={}, **kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        """Paths of every sample, sorted by name."""
        if self.ann_file and is_manifest(self.ann_file):
            return self._annotated()
        samples = self.match(Path(self.data_root), self.folders)
        self._set_framings(samples)
        if not self.ann_file:
            return samples
        by_name = {sample['sample_id']: sample for sample in samples}
        listed = sorted(set(read_lines(self.ann_file)))
        missing = [name for name in listed if name not in by_name]
        if missing:
            raise ValueError(
                f'{self.ann_file}: {len(missing)} of {len(listed)} names have no '
                f'{" + ".join(self.kinds)} in {self.data_root}, first {missing[0]!r}'
            )
        return [by_name[name] for name in listed]

    def _annotated(self) -> list[dict[str, Any]]:
        """Samples of labels that a model has made; their person masks are those of its body parts."""
        suffixes = {kind: LABELS.get(kind) for kind in self.kinds[1:]}
        samples = list(read_samples(self.ann_file))
        for kind, suffix in suffixes.items():
            if suffix is None or not all(sample.has(suffix) for sample in samples):
                raise ValueError(
                    f'{self.ann_file}: its samples have no {kind}; annotate with --tasks '
                    f'{" ".join(self.kinds[2:])} seg'
                )
        good = [sample for sample in samples if 'empty mask' not in sample.content['flags']]
        if len(good) < len(samples):
            MMLogger.get_current_instance().info(
                f'{self.ann_file}: {len(samples) - len(good)} of {len(samples)} images show no person '
                'and are left out'
            )
        return [
            {
                'sample_id': sample.key,
                'img_path': str(sample.image),
                **{f'{kind}_path': str(sample.file(s)) for kind, s in suffixes.items() if s},
                'map_format': {'depth_offset': 1.0},  # 0 is the nearest, and files hold distances
                'framing': None,
            }
            for sample in good
        ]

    def _set_framings(self, samples: list[dict[str, Any]]) -> None:
        """Give every sample its framing, or None.

        Raises:
            ValueError: The file or folder of framings is missing, or is not COCO's.
        """
        source = Path(self.data_root) / self.framing if self.framing else None
        if source is None or not source.exists():
            if source and (self.framing == ANNOTATIONS or source.suffix == '.json'):
                raise ValueError(f'{source} does not exist; it tells the framing of each image')
            for sample in samples:
                sample['framing'] = self.framing
            return
        files = sorted(source.glob('*.json')) if source.is_dir() else [source]
        framings: dict[str, str | None] = {}
        for file in files:
            content = read_json(file)
            try:
                images = content['images']
                names = [Path(image['file_name']).with_suffix('').as_posix() for image in images]
            except (KeyError, TypeError) as error:
                raise ValueError(f'{file} is not a COCO file with images: {error!r}') from error
            framings.update(zip(names, [image.get('framing') for image in images], strict=True))
        for sample in samples:
            sample['framing'] = framings.get(sample['sample_id'])

    def match(self, root: Path, folders: dict[str, str], prefix: str = '') -> list[dict[str, Any]]:
        """Samples of one root folder, sorted by name; names in some folders only are logged.

        Args:
            root: Folder of the set.
            folders: Folder per kind where the usual names do not fit.
            prefix: What the samples' ids start with.
        """
        files = self.index(root, folders)
        names = sorted(set.intersection(*(set(found) for found in files.values())))
        everything = set().union(*files.values())
        if not names:
            counts = ', '.join(f'{kind} {len(found)}' for kind, found in files.items())
            raise ValueError(f'{root}: no file name is in all folders (files found: {counts})')
        if len(names) < len(everything):
            lost = sorted(everything - set(names))
            MMLogger.get_current_instance().warning(
                f'{root}: {len(lost)} of {len(everything)} names lack one of '
                f'{", ".join(self.kinds)} and are left out, first {lost[0]!r}'
            )
        return [
            {
                'sample_id': prefix + name,
                'img_path': str(files['image'][name]),
                **{f'{kind}_path': _as_text(files[kind][name]) for kind in self.kinds[1:]},
                **({'map_format': self.MAP_FORMAT} if self.MAP_FORMAT else {}),
            }
            for name in names
        ]

    def index(self, root: Path, folders: dict[str, str]) -> dict[str, Files]:
        """Files by kind and name."""
        return {kind: index_folder(root, kind, folders.get(kind)) for kind in self.kinds}


def index_folder(root: Path, kind: str, folder: str | None) -> Files:
    """Files of one kind by name: the path below their folder, without suffix."""
    candidates = [root / name for name in ([folder] if folder else FOLDERS[kind])]
    found = next((path for path in candidates if path.is_dir()), None)
    if found is None:
        looked = ' or '.join(str(path) for path in candidates)
        raise ValueError(f'no folder of {kind} files: expected {looked}')
    files: Files = {}
    for path in sorted(found.rglob('*')):
        if path.suffix.lower() not in SUFFIXES[kind]:
            continue
        name = path.relative_to(found).with_suffix('').as_posix()
        if name in files:
            raise ValueError(f'{files[name]} and {path} have the same name; keep one of them')
        files[name] = path
    return files


def _as_text(path: Path | list[Path]) -> str | list[str]:
    """Paths for a sample, which travels between processes."""
    return [str(one) for one in path] if isinstance(path, list) else str(path)


def sibling_of(image: str | Path, kind: str) -> Path:
    """The file of another kind that belongs to an image, in a folder beside the image's.

    Raises:
        ValueError: There is none.
    """
    image = Path(image)
    root = image.parent.parent
    names = [f'{folder}/{image.stem}' for folder in FOLDERS[kind]]
    for name in names:
        for suffix in SUFFIXES[kind]:
            for path in (root / f'{name}{suffix}', root / f'{name}{suffix.upper()}'):
                if path.is_file():
                    return path
    raise ValueError(f'{image} has no {kind} file: expected {root}/{" or ".join(names)}.*')
