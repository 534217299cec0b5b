# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Keypoints from heatmaps."""

import numpy as np
from mmpose.codecs import UDPHeatmap as MMPoseUDPHeatmap

from sapiens_common.benchmark import Settings, Stage, Target, compare
from sapiens_pose.codecs import UDPHeatmap

from .people import NUM_KEYPOINTS, codec_settings, heatmaps

_BASELINE = 'mmpose codec, per person'
_OURS = 'batched on the device'


def run(settings: Settings) -> Stage:
    """Time the batched decode against mmpose's NumPy codec, for one person and for several."""
    arguments = codec_settings(settings.quick)
    ours, upstream = UDPHeatmap(**arguments), MMPoseUDPHeatmap(**arguments)
    count = 17 if settings.quick else NUM_KEYPOINTS
    width, height = arguments['heatmap_size']
    stage = Stage('decode', "Sub-pixel keypoints from the heatmaps on the model's device.")
    for batch in settings.batches or (1, 8):
        maps = heatmaps(ours, batch, count).to(settings.torch_device)

        def batched(maps=maps) -> np.ndarray:
            return np.concatenate(ours.batch_decode(maps)[0])

        def per_person(maps=maps) -> np.ndarray:
            return np.concatenate([upstream.decode(each)[0] for each in maps.cpu().numpy()])

        stage.comparisons.append(
            compare(
                f'{count} heatmaps of {height} x {width}',
                {_BASELINE: per_person, _OURS: batched},
                settings,
                baseline=_BASELINE,
                unit='person',
                items=batch,
                memory=True,
                difference=lambda a, b: float(np.abs(a - b).max()),
                tolerance=1e-3,
            )
        )
        case = stage.comparisons[-1][_OURS]
        if settings.on_gpu:
            what = f'milliseconds per person, {batch} at once'
            stage.targets.append(Target(what, 1.0, case.per_item * 1e3, at_most=True))
        else:
            what = f'times faster than mmpose, {batch} at once (aim: 10)'
            stage.targets.append(Target(what, 5.0, case.speedup))
    stage.notes.append('Differences are in pixels of the input.')
    return stage
