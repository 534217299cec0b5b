# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""People as result files hold them, for tests of exports."""

from sapiens_common.layouts.goliath308 import load_goliath308

NAMES = [point['name'] for point in load_goliath308()['keypoints']]
SIZE = (48, 64)  # height, width


def person(x, track_id=None):
    """A person whose keypoints lie on a grid to the right of ``x``; the last has no score."""
    points = [[x + (i % 16), 5.0 + i // 16] for i in range(308)]
    entry = {
        'box': [x, 4.0, x + 20.0, 40.0],
        'box_score': 0.9,
        'keypoints': points,
        'scores': [0.8] * 307 + [0.1],
    }
    return entry if track_id is None else {**entry, 'track_id': track_id}
