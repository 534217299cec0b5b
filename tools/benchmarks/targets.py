# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Heatmap targets from keypoints."""

import numpy as np
import torch
from benchmarks.harness import Settings, Stage, compare
from mmpose.codecs import UDPHeatmap as MMPoseUDPHeatmap

from sapiens_pose.codecs import BatchedUDPHeatmap

from .people import NUM_KEYPOINTS, codec_settings, keypoints


def run(settings: Settings) -> Stage:
    """Time the batched targets on the device against mmpose's, one person at a time on the CPU."""
    arguments = codec_settings(settings.quick)
    ours, upstream = BatchedUDPHeatmap(**arguments), MMPoseUDPHeatmap(**arguments)
    batch = settings.batches[0] if settings.batches else 4
    count = 17 if settings.quick else NUM_KEYPOINTS
    points, visible = keypoints(batch, count, arguments['input_size'])
    device = settings.torch_device
    points_t, visible_t = (torch.from_numpy(v).to(device) for v in (points, visible))

    def batched() -> torch.Tensor:
        return ours.encode_batch(points_t, visible_t)[0]

    def per_person() -> torch.Tensor:
        encoded = [
            upstream.encode(points[i : i + 1], visible[i : i + 1])['heatmaps'] for i in range(batch)
        ]
        # What a collate function and the training loop do with them.
        return torch.stack([torch.from_numpy(maps) for maps in encoded]).to(device)

    width, height = arguments['heatmap_size']
    comparison = compare(
        f'{count} targets of {height} x {width}, batch {batch}',
        {'mmpose codec, per person': per_person, 'batched on the device': batched},
        settings,
        baseline='mmpose codec, per person',
        unit='person',
        items=batch,
        memory=True,
        difference=lambda a, b: (a - b).abs().max().item(),
        tolerance=1e-6,
    )
    sample = per_person()[0].cpu().numpy()
    return Stage(
        'targets',
        'Heatmap targets of a training batch. The reference makes them in the loader and ships them; '
        'ours are made inside the head.',
        [comparison],
        facts={
            "bytes of one person's targets": int(sample.nbytes),
            'bytes of what they are made from': int(
                np.asarray(points[0]).nbytes + visible[0].nbytes
            ),
        },
    )
