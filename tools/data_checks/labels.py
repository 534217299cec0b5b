# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Audit of label files before training: values, classes, shares, suggested class weights."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from data_checks.report import DataAudit

from sapiens_common.files.images import image_size, read_ids
from sapiens_common.layouts.body_parts import IGNORE_INDEX
from sapiens_common.progress import Progress
from sapiens_seg.datasets import BodyPartDataset
from sapiens_seg.datasets.transforms import impossible_values_message
from sapiens_seg.label_maps import IMPOSSIBLE
from sapiens_seg.registry import DATASETS


@dataclass
class _Count:
    """What one label file holds."""

    values: np.ndarray  # (256,) pixels per file value
    problems: list[str] = field(default_factory=list)


def audit_dataset(settings: Mapping[str, Any], workers: int = 4) -> DataAudit:
    """Read every label file of a data set.

    Args:
        settings: Config of a ``sapiens_seg.BodyPartDataset``; its pipeline is not run.
        workers: Threads that read files.

    Returns:
        The values present against the classes, the ignored share, pixels and files per class and
        suggested weights; problems are impossible values, unreadable files, labels whose size is not
        the image's, missing pairs, and a data set without a labelled pixel.
    """
    try:
        dataset: BodyPartDataset = DATASETS.build({**settings, 'pipeline': []})
    except (ValueError, OSError) as error:
        return DataAudit('', [str(error)])
    entries = [dataset.get_data_info(index) for index in range(len(dataset))]
    unlabelled = sum('seg_map_path' not in entry for entry in entries)
    if unlabelled:
        return DataAudit(
            '', ['the data set has no seg_map_path folder, so there is nothing to audit']
        )
    with ThreadPoolExecutor(max(1, workers)) as pool:
        counts = list(Progress(pool.map(_count, entries), total=len(entries), unit='file'))
    problems = [problem for count in counts for problem in count.problems]
    values = np.stack([count.values for count in counts])  # (files, 256)
    classes = dataset.metainfo['classes']
    ids = np.stack([values[:, dataset.table == i].sum(1) for i in range(len(classes))], 1)
    if not ids.any():
        problems.append('no pixel of any class: every label is ignored or impossible')
    return DataAudit(_report(classes, values, ids, dataset.table), problems)


def suggest_weights(pixels: np.ndarray) -> np.ndarray:
    """Cross-entropy weights from pixels per class (C,): the root of median over own frequency.

    The root keeps rare classes from dominating, and 0.1 to 10 is the range of the published weights.
    Classes without a pixel get 1.
    """
    present = pixels > 0
    weights = np.ones(len(pixels))
    if present.any():
        weights[present] = np.sqrt(np.median(pixels[present]) / pixels[present])
    return weights.clip(0.1, 10).round(1)


def _count(entry: dict[str, Any]) -> _Count:
    """Count one file's values and look for problems."""
    path, table = entry['seg_map_path'], entry['label_table']
    try:
        labels = read_ids(path)
        size = image_size(entry['img_path'])
    except ValueError as error:
        return _Count(np.zeros(256, np.int64), [str(error)])
    count = _Count(np.bincount(labels.ravel(), minlength=256))
    if labels.shape != size:
        count.problems.append(
            f'label file {path} is {labels.shape}, its image {entry["img_path"]} is '
            f'{size} (height, width)'
        )
    if count.values[table == IMPOSSIBLE].any():
        count.problems.append(impossible_values_message(path, labels, table, entry['label_values']))
    return count


def _report(
    classes: tuple[str, ...], values: np.ndarray, ids: np.ndarray, table: np.ndarray
) -> str:
    """The table people read. values (files, 256), ids (files, C): pixel counts."""
    total = max(int(values.sum()), 1)
    ignored = values[:, table == IGNORE_INDEX].sum()
    pixels = ids.sum(0)
    weights = suggest_weights(pixels)
    lines = [
        f'{len(values)} label files, {total} pixels, {100 * ignored / total:.2f} % ignored',
        f'values in the files: {np.flatnonzero(values.sum(0)).tolist()}',
        f'{"id":>3}  {"class":<18} {"pixels":>13} {"share %":>8} {"files":>7} {"weight":>6}',
    ]
    for index, name in enumerate(classes):
        files = int((ids[:, index] > 0).sum())
        weight = f'{weights[index]:.1f}' if files else 'absent'
        lines.append(
            f'{index:>3}  {name:<18} {pixels[index]:>13} {100 * pixels[index] / total:>8.3f} '
            f'{files:>7} {weight:>6}'
        )
    lines.append(f'suggested weights: {weights.tolist()}')
    return '\n'.join(lines)
