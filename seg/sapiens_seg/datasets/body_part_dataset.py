# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""One reader for every folder of images beside a folder of label PNGs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmseg.datasets import BaseSegDataset

from sapiens_common.files.images import IMAGE_SUFFIXES, list_images
from sapiens_common.files.text import read_lines
from sapiens_inference.annotate.dataset import check_names, is_manifest, read_samples
from sapiens_seg.label_maps import label_table
from sapiens_seg.registry import DATASETS
from sapiens_seg.vocabularies import resolve_vocabulary


@DATASETS.register_module()
class BodyPartDataset(BaseSegDataset):
    """Images and single-channel label PNGs with the same stems, sorted by name.

    The layouts of the suite, LIP, CIHP and FaceSynthetics differ only in ``data_prefix`` and
    ``seg_map_suffix``; the recipes under ``configs/seg`` show each.

    Args:
        vocabulary: Name or dict of the classes
            (:func:`sapiens_seg.vocabularies.resolve_vocabulary`).
        values: What the numbers in the label files mean (:func:`sapiens_seg.label_maps.label_table`).
        data_prefix: Folders under ``data_root``: ``img_path`` and ``seg_map_path``. They may be the same
            if ``seg_map_suffix`` tells labels from images. Without ``seg_map_path`` no labels are
            read.
        seg_map_suffix: What follows the image's stem in its label's name.
        ann_file: Optional text file with one stem per line, under ``data_root``; None takes all. Or the
            ``manifest.json`` of labels that tools/annotate.py has made in ``data_root``.
        **kwargs: Of MMSegmentation's ``BaseSegDataset`` (``data_root``, ``pipeline``, ``indices``, ...).

    Raises:
        ValueError: A folder or list is missing or empty; an image has no label; a stem has several
            images, or is listed and has none.
    """

    def __init__(
        self,
        vocabulary: str | Mapping[str, Any],
        values: str = 'ids',
        data_prefix: dict[str, str] | None = None,
        seg_map_suffix: str = '.png',
        **kwargs: Any,
    ) -> None:
        self.vocabulary = resolve_vocabulary(vocabulary)
        self.table = label_table(values, self.vocabulary)
        self.values = values
        super().__init__(
            data_prefix=data_prefix or {'img_path': 'images', 'seg_map_path': 'segmentations'},
            seg_map_suffix=seg_map_suffix,
            metainfo=self.vocabulary.metainfo,
            **kwargs,
        )

    def load_data_list(self) -> list[dict[str, Any]]:
        """Pair images with labels."""
        if self.ann_file and is_manifest(self.ann_file):
            check_names(self.ann_file, 'seg', list(self.vocabulary.classes))
            return [
                {**self._entry(sample.image), 'seg_map_path': str(sample.file('.seg.png'))}
                for sample in read_samples(self.ann_file)
            ]
        labels_root = self.data_prefix.get('seg_map_path')
        images = self._images()
        if labels_root is None:
            return [self._entry(image) for image in images]
        labels = self._labels(Path(labels_root))
        missing = [image.stem for image in images if image.stem not in labels]
        if missing:
            expected = Path(labels_root) / f'{missing[0]}{self.seg_map_suffix}'
            raise ValueError(
                f'{len(missing)} of {len(images)} images have no label file, the first: expected '
                f'{expected}. Add the files, or list the labelled stems in ann_file'
            )
        return [{**self._entry(image), 'seg_map_path': str(labels[image.stem])} for image in images]

    def _labels(self, folder: Path) -> dict[str, Path]:
        """Label files by the stem of their image."""
        files = sorted(folder.iterdir()) if folder.is_dir() else ()
        cut = len(self.seg_map_suffix)
        return {path.name[:-cut]: path for path in files if self._has_suffix(path)}

    def _has_suffix(self, path: Path) -> bool:
        """Whether a file is named as labels are, in any case."""
        return path.name.lower().endswith(self.seg_map_suffix.lower())

    def _images(self) -> list[Path]:
        """Paths of the images in use."""
        folder = self.data_prefix['img_path']
        # In a shared folder the labels are images, too.
        images = [path for path in list_images(folder) if not self._is_label(path)]
        by_stem: dict[str, list[Path]] = {}
        for image in images:
            by_stem.setdefault(image.stem, []).append(image)
        if not self.ann_file:
            doubles = [found for found in by_stem.values() if len(found) > 1]
            if doubles:
                raise ValueError(
                    f'{doubles[0][0]} and {doubles[0][1].name} share the stem that names their label; '
                    'keep one of them'
                )
            return images
        stems = read_lines(self.ann_file)
        for stem in stems:
            if len(by_stem.get(stem, [])) != 1:
                found = [path.name for path in by_stem.get(stem, [])]
                raise ValueError(
                    f'{self.ann_file} lists {stem!r}: expected one {stem}{{{",".join(IMAGE_SUFFIXES)}}} '
                    f'in {folder}, found {found}'
                )
        return [by_stem[stem][0] for stem in stems]

    def _is_label(self, path: Path) -> bool:
        """Whether a file of the image folder is a label."""
        same = self.data_prefix.get('seg_map_path') == self.data_prefix['img_path']
        return same and self._has_suffix(path)

    def _entry(self, image: Path) -> dict[str, Any]:
        """What the pipeline gets of one image."""
        return {
            'img_path': str(image),
            'label_table': self.table,
            'label_values': self.values,
            'swap_pairs': self.vocabulary.swap_pairs,
            'seg_fields': [],
            'reduce_zero_label': False,
        }
