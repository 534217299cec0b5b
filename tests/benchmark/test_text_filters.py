# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The tool that measures filters draws what it says, and counts."""

import cv2
from invented_photos import photo_like


def test_it_counts_what_filters_drop(tmp_path, run_tool):
    (tmp_path / 'photos').mkdir()
    for seed in range(2):
        cv2.imwrite(str(tmp_path / f'photos/{seed}.png'), photo_like(seed))
    sheet = tmp_path / 'sheet.jpg'
    text = run_tool(
        'tools/benchmarks/text_filters.py',
        tmp_path / 'photos',
        '--filters',
        'text',
        'art',
        '--sheet',
        sheet,
    )
    lines = text.splitlines()
    assert lines[0] == '| 2 photos | text | art |' and len(lines) == 13
    assert lines[2] == '| no text (false alarms) | 0% | 0% |'
    assert lines[8] == '| One word over the whole picture | 100% | 0% |'
    assert cv2.imread(str(sheet)) is not None
