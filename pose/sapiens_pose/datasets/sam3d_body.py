# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The annotations of SAM 3D Body: 70 of the 308 keypoints on photos of COCO 2014 and other sets."""

import re
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import MMLogger
from mmpose.datasets.datasets.base import BaseCocoStyleDataset

from sapiens_common.files.images import image_size
from sapiens_common.layouts.goliath308 import NUM_SAM3D_BODY_KEYPOINTS, sam3d_body_metainfo
from sapiens_pose.datasets.paths import leaves_root
from sapiens_pose.registry import DATASETS

from .parquet import read_columns, to_array

COLUMNS = ('image', 'keypoints_2d', 'bbox', 'bbox_format')
OPTIONAL = (
    'dataset',
    'person_id',
    'subject_idx',
    'bbox_score',
    'mhr_valid',
    'mask_size',
    'mask_cnts',
)
COCO2014 = re.compile(r'COCO_(?:train|val)2014_(\d{12}\.jpg)')


@DATASETS.register_module()
class Sam3dBodyDataset(BaseCocoStyleDataset):
    """People of one split, ``<split>/NNNNNN.parquet``, with the photos of its source.

    The points are the first 70 of the 308, under their names there: put the set into a
    ``NameMatchedDataset`` with ``layout='goliath'``, and the other 238 are unlabelled. A point counts as
    labelled where its third value is above 0 (everywhere if there is none) and where it lies inside the
    photo. Masks are handed on as COCO's RLE in ``segmentation``.

    What the owners do not document is looked at and logged (shape and third value of the points, form of
    the boxes, share of masks), and refused where it is something else than expected here.

    Args:
        ann_file: Folder of a split, or one parquet file.
        data_prefix: ``img`` is the folder to which the column ``image`` is relative. COCO's photos may
            also lie there under their names of 2017.
        valid_only: Leave out people whose body model was not fitted (``mhr_valid``).
        min_keypoints: Labelled points that a sample needs.
        **kwargs: As mmpose's ``BaseCocoStyleDataset``.

    Raises:
        ValueError: A file is missing, is not parquet, or holds something that is not understood.
    """

    METAINFO = sam3d_body_metainfo()

    def __init__(
        self,
        ann_file: str = '',
        valid_only: bool = True,
        min_keypoints: int = 8,
        **kwargs: Any,
    ) -> None:
        if kwargs.get('bbox_file'):
            raise ValueError('Sam3dBodyDataset reads its own boxes; bbox_file is not supported')
        self.valid_only = valid_only
        self.min_keypoints = min_keypoints
        super().__init__(ann_file=ann_file, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Samples of all files of the split, in their order."""
        source = Path(self.ann_file)
        files = sorted(source.glob('*.parquet')) if source.is_dir() else [source]
        if not files or not files[0].is_file():
            raise ValueError(f'{source}: expected a parquet file, or a folder of NNNNNN.parquet')
        samples: list[dict] = []
        counts = {'people': 0, 'not fitted': 0, f'fewer than {self.min_keypoints} points': 0}
        for path in files:
            self._read(path, samples, counts)
        MMLogger.get_current_instance().info(
            f'{source}: {len(samples)} samples of {len(files)} files; '
            + ', '.join(f'{count} {what}' for what, count in counts.items())
        )
        if not samples:
            raise ValueError(f'{source}: no person to read ({counts})')
        self._use_names_of_2017(samples)
        return samples

    def _read(self, path: Path, samples: list[dict], counts: dict[str, int]) -> None:
        """Add the people of one file."""
        table = read_columns(path, COLUMNS, OPTIONAL)
        points, what = read_points(path, to_array(path, 'keypoints_2d', table['keypoints_2d']))
        formats = table['bbox_format'].to_pylist()
        boxes = read_boxes(path, to_array(path, 'bbox', table['bbox']), formats)
        images = table['image'].to_pylist()
        valid = table['mhr_valid'].to_pylist() if 'mhr_valid' in table else [True] * len(images)
        masks = read_masks(path, table)
        MMLogger.get_current_instance().info(
            f'{path}: {len(images)} people, points {what}, boxes {sorted(set(formats))}, '
            f'{sum(mask is not None for mask in masks)} masks'
        )
        counts['people'] += len(images)
        for row, name in enumerate(images):
            if self.valid_only and not valid[row]:
                counts['not fitted'] += 1
                continue
            labelled = int((points[row, :, 2] > 0).sum())
            if labelled < self.min_keypoints:
                counts[f'fewer than {self.min_keypoints} points'] += 1
                continue
            samples.append(
                {
                    'id': len(samples),
                    'img_id': name,
                    'img_path': str(Path(self.data_prefix['img']) / name),
                    'bbox': boxes[row : row + 1],
                    'bbox_score': np.ones(1, np.float32),
                    'num_keypoints': labelled,
                    'keypoints': points[row : row + 1, :, :2],
                    'keypoints_visible': np.minimum(points[row : row + 1, :, 2], 1),
                    'iscrowd': 0,
                    'segmentation': masks[row],
                    'category_id': np.array(1),
                    'error': find_problem(path, row, name, boxes[row], points[row]),
                }
            )

    @staticmethod
    def _use_names_of_2017(samples: list[dict]) -> None:
        """Take COCO's photos by their later names where the first of them has no other."""
        first = Path(samples[0]['img_path'])
        match = COCO2014.fullmatch(first.name)
        if match is None or first.exists() or not first.with_name(match[1]).exists():
            return
        for sample in samples:
            path = Path(sample['img_path'])
            sample['img_path'] = str(path.with_name(COCO2014.sub(r'\1', path.name)))

    def prepare_data(self, idx: int) -> Any:
        """The sample after the pipeline; points beyond the border of the photo are unlabelled.

        Raises:
            ValueError: The annotation does not fit its photo, or cannot be used at all.
        """
        self.full_init()
        data_info = self.get_data_info(idx)
        error = data_info.pop('error')
        if error:
            raise ValueError(error)
        height, width = image_size(data_info['img_path'])
        mask = data_info['segmentation']
        if mask is not None and mask['size'] != [height, width]:
            raise ValueError(
                f'{self.ann_file}: the mask of {data_info["img_path"]} is {mask["size"]}, the photo '
                f'{[height, width]} (height, width)'
            )
        x, y = np.moveaxis(data_info['keypoints'], -1, 0)
        inside = (x > 0) & (y > 0) & (x < width) & (y < height)
        data_info['keypoints_visible'] = np.where(inside, data_info['keypoints_visible'], 0)
        data_info['bbox'] = data_info['bbox'].clip(0, [width, height, width, height])
        data_info['dataset'] = self
        return self.pipeline(data_info)


def read_points(path: str | Path, values: np.ndarray) -> tuple[np.ndarray, str]:
    """Points float32 (N, 70, 3) of x, y, visibility, and in words what the file has.

    Args:
        path: For the error.
        values: (N, 70, 2), (N, 70, 3), (N, 140) or (N, 210).

    Raises:
        ValueError: Another shape, or third values that are not visibilities.
    """
    count = NUM_SAM3D_BODY_KEYPOINTS
    shape = values.shape
    if len(shape) == 2 and shape[1] in (2 * count, 3 * count):
        values = values.reshape(len(values), count, -1)
    if values.ndim != 3 or values.shape[1] != count or values.shape[2] not in (2, 3):
        raise ValueError(
            f'{path}: expected keypoints_2d of {count} points with x, y and perhaps a visibility, got '
            f'{shape[1:]} per person'
        )
    if values.shape[2] == 2:
        padded = np.pad(values, ((0, 0), (0, 0), (0, 1)), constant_values=1)
        return padded.astype(np.float32), 'x, y'
    third = values[..., 2]
    found = np.unique(third[np.isfinite(third)])
    if not np.isfinite(third).all() or not (
        set(found) <= {0, 1, 2} or 0 <= found[0] <= found[-1] <= 1
    ):
        raise ValueError(
            f'{path}: the third value of keypoints_2d is neither 0, 1, 2 nor a score in [0, 1]: '
            f'{found[:5].tolist()} to {found[-1:].tolist()}'
        )
    how = 'flags' if set(found) <= {0, 1, 2} else 'scores'
    what = f'x, y and {how} {found[:1].tolist()} to {found[-1:].tolist()}'
    return values.astype(np.float32), what


def read_boxes(path: str | Path, values: np.ndarray, formats: list[str]) -> np.ndarray:
    """Boxes float32 (N, 4) xyxy.

    Raises:
        ValueError: Not four numbers each, or a form that is neither ``xyxy`` nor ``xywh``.
    """
    if values.ndim != 2 or values.shape[1] != 4:
        raise ValueError(f'{path}: expected bbox of 4 numbers per person, got {values.shape[1:]}')
    kinds = np.array([str(name).lower() for name in formats])
    unknown = sorted(set(kinds.tolist()) - {'xyxy', 'xywh'})
    if unknown:
        raise ValueError(f'{path}: bbox_format {unknown} is neither xyxy nor xywh')
    boxes = values.astype(np.float32)
    sizes = kinds == 'xywh'
    boxes[sizes, 2:] += boxes[sizes, :2]
    return boxes


def read_masks(path: str | Path, table: dict[str, Any]) -> list[dict[str, Any] | None]:
    """COCO's RLE of each person, None where there is no mask (size -1, -1, or no such columns).

    Raises:
        ValueError: Sizes are not two numbers.
    """
    if 'mask_size' not in table or 'mask_cnts' not in table:
        return [None] * len(table['image'])
    sizes = to_array(path, 'mask_size', table['mask_size']).astype(int)
    if sizes.ndim != 2 or sizes.shape[1] != 2:
        raise ValueError(f'{path}: expected mask_size of (height, width), got {sizes.shape[1:]}')
    return [
        {'size': [int(size[0]), int(size[1])], 'counts': counts}
        if size.min() > 0 and counts
        else None
        for size, counts in zip(sizes, table['mask_cnts'].to_pylist(), strict=True)
    ]


def find_problem(
    path: str | Path, row: int, name: str, box: np.ndarray, points: np.ndarray
) -> str | None:
    """What is wrong with a person, or None."""
    where = f'{path}: row {row}, image {name!r}'
    if not isinstance(name, str) or leaves_root(name):
        return f'{where}: expected an image below the image folder'
    if not np.isfinite(box).all() or box[2] <= box[0] or box[3] <= box[1]:
        return f'{where}: expected a box with positive width and height, got {box.tolist()} (xyxy)'
    labelled = points[points[:, 2] > 0, :2]
    if not np.isfinite(labelled).all():
        return f'{where}: labelled keypoints are NaN or infinite'
    size = box[2:] - box[:2]
    far = ((labelled < box[:2] - size) | (labelled > box[2:] + size)).any(axis=1).mean()
    if far > 0.5:
        return (
            f'{where}: {far:.0%} of the labelled keypoints lie more than a box away from the box '
            f'{box.tolist()}; expected pixels of the photo'
        )
    return None
