# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Audit of depth and normals: unit, range, and whether the axes of the normals fit the depth beside them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from data_checks.report import DataAudit

from sapiens_common.progress import Progress
from sapiens_depth_normal.datasets.plausibility import angles_by_order, clearly_better, spoken
from sapiens_depth_normal.registry import DATASETS
from sapiens_depth_normal.transforms import LoadMaps

SAMPLES = 64
"""Samples looked at, spread evenly over the set: an order or a unit is the same in all of them."""

UNITS = {'metres': 1.0, 'centimetres': 0.01, 'millimetres': 0.001, 'inches': 0.0254}
NEAREST, FARTHEST = 0.15, 60.0  # metres from a camera at which people are photographed
# Metres between the nearest and farthest point of those in one picture.
SMALLEST, LARGEST = 0.02, 5.0


def audit_dataset(settings: Mapping[str, Any], workers: int = 4) -> DataAudit:
    """Look at depth and normals of a data set, at both where the set has both.

    Args:
        settings: Config of a data set of ``sapiens_depth_normal``; of its pipeline only ``LoadMaps`` is run,
            without its own check of plausibility.
        workers: Not used; few samples are read.

    Returns:
        Range of the depth, share of the normals that face the camera and angle between the two; problems
        are a unit that is not metres and an order or sign of axes that another one beats clearly.
        Samples that cannot be read are left to the audit of samples.
    """
    dataset = _build(settings)
    if dataset is None:
        return DataAudit('', [])
    steps = [step for step in settings.get('pipeline', []) if step['type'].endswith('LoadMaps')]
    arguments = {key: value for key, value in (steps[0] if steps else {}).items() if key != 'type'}
    load = LoadMaps(**{**arguments, 'plausible': False})
    ranges, facing, angles = [], [], []
    count = min(SAMPLES, len(dataset))
    for index in Progress(np.linspace(0, len(dataset) - 1, count).astype(int), unit='map'):
        try:
            sample = load(dataset.get_data_info(int(index)))
        except ValueError:
            continue
        mask = sample['mask'] > 0
        depth, normals = sample.get('gt_depth_map'), sample.get('gt_normal_map')
        if depth is not None:
            ranges.append(np.percentile(depth[mask], [1, 99]))
        if normals is not None:
            facing.append((normals[mask][:, 2] > 0).mean())
        if depth is not None and normals is not None:
            angles.append(angles_by_order(normals, depth, mask, sample.get('intrinsics')))
    lines, problems = [], []
    if ranges:
        low, high = np.median(ranges, axis=0)
        lines.append(f'depth of people: {low:.4g} to {high:.4g} (medians of {len(ranges)} samples)')
        problems += _unit_problem(float(low), float(high))
    if facing:
        lines.append(f'normals that face the camera: {np.mean(facing):.1%}')
    if any(angles):
        line, found = _compare([found for found in angles if found])
        lines.append(line)
        problems += found
    return DataAudit('\n'.join(lines), problems)


def _build(settings: Mapping[str, Any]) -> Any:
    """The data set with depth and normals if it has both, else with those of them that it reads."""
    wanted = [kind for kind in settings.get('targets', ()) if kind in ('depth', 'normal')]
    for targets in (['depth', 'normal'], wanted):
        if targets:
            try:
                return DATASETS.build({**settings, 'targets': targets, 'pipeline': []})
            except (ValueError, OSError, KeyError, TypeError):
                continue  # no such folder; what is wrong with the set itself the audit of samples says
    return None


def _unit_problem(low: float, high: float) -> list[str]:
    """What is wrong with the unit of a depth range, as a list of at most one text."""

    def fits(unit: float) -> bool:
        near, far = low * unit, high * unit
        return near >= NEAREST and far <= FARTHEST and SMALLEST <= far - near <= LARGEST

    if fits(1.0):
        return []
    others = [f'{name} (times {unit:g})' for name, unit in UNITS.items() if fits(unit)]
    text = f'depth: people span {low:.4g} to {high:.4g}, which are not metres; '
    if not others:
        return [text + 'no usual unit fits: relative or inverse depth has no place here']
    return [f'{text}in {" or ".join(others)} they would fit: set LoadMaps(depth_unit=...)']


def _compare(angles: list[dict[str, float]]) -> tuple[str, list[str]]:
    """A line on the agreement of normals and depth, and what is wrong with it."""
    means = {order: float(np.mean([found[order] for found in angles])) for order in angles[0]}
    ranked = sorted(means, key=means.__getitem__)
    line = f'normals against the gradient of depth: {means["xyz"]:.1f} degrees (median of pixels) as read'
    if ranked[0] == 'xyz':
        return f'{line}, the best of 48 orders and signs; the next has {means[ranked[1]]:.1f}', []
    better = clearly_better(means)
    if better is None:
        return f'{line}; no other order or sign is clearly better', []
    return line, [
        f'normals: their axes, read as x, y, z, are {spoken(better)} by the gradient of the depth beside '
        f'them ({means[better]:.1f} degrees against {means["xyz"]:.1f} as read, {len(angles)} samples); '
        'set channel_order or convention of LoadMaps'
    ]
