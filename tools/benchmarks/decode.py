# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Keypoints from heatmaps."""

import numpy as np
from benchmarks.harness import Settings, Stage, Target, compare
from mmpose.codecs import UDPHeatmap as MMPoseUDPHeatmap

from sapiens_pose.codecs import BatchedUDPHeatmap

from .people import NUM_KEYPOINTS, codec_settings, heatmaps

_BASELINE = 'mmpose codec, per person'
_OURS = 'batched on the device'
_CLEAR = 0.1  # maxima above it are peaks, the others noise


def run(settings: Settings) -> Stage:
    """Time the batched decode against mmpose's NumPy codec, for one person and for several."""
    arguments = codec_settings(settings.quick)
    ours, upstream = BatchedUDPHeatmap(**arguments), MMPoseUDPHeatmap(**arguments)
    count = 17 if settings.quick else NUM_KEYPOINTS
    width, height = arguments['heatmap_size']
    stage = Stage('decode', "Sub-pixel keypoints from the heatmaps on the model's device.")
    for batch in settings.batches or (1, 8):
        maps = heatmaps(ours, batch, count).to(settings.torch_device)
        clear = maps.flatten(2).amax(dim=2).cpu().numpy() > _CLEAR

        def batched(maps=maps) -> np.ndarray:
            return np.concatenate(ours.batch_decode(maps)[0])

        def per_person(maps=maps) -> np.ndarray:
            return np.concatenate([upstream.decode(each)[0] for each in maps.cpu().numpy()])

        stage.comparisons.append(
            compare(
                f'{count} heatmaps of {height} x {width}, batch {batch}',
                {_BASELINE: per_person, _OURS: batched},
                settings,
                baseline=_BASELINE,
                unit='person',
                items=batch,
                memory=True,
                difference=lambda a, b, clear=clear: float(np.abs(a - b)[clear].max()),
                tolerance=1e-3,
            )
        )
        apart = np.abs(batched() - per_person())[~clear].max()
        stage.facts[f'largest difference in nearly empty maps, {batch} at once'] = float(apart)
        case = stage.comparisons[-1][_OURS]
        if settings.on_gpu:
            what = f'milliseconds per person, {batch} at once'
            stage.targets.append(Target(what, 1.0, case.per_item * 1e3, at_most=True))
        else:
            what = f'times faster than mmpose, {batch} at once (aim: 10)'
            stage.targets.append(Target(what, 5.0, case.speedup))
    stage.notes.append(
        'Differences are in pixels of the input, among maps with a peak above 0.1. In a nearly empty map the '
        'Newton step divides by a curvature close to zero, and float32 rounding shows.'
    )
    return stage
