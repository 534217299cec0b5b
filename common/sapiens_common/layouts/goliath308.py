# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The 308-keypoint layout as data: names, groups, flip partners, sigmas, colours, skeleton."""

import json
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def load_goliath308() -> dict[str, Any]:
    """Content of ``data/goliath308.json``: 308 keypoints, 65 links, and the raw 344-point order."""
    text = files('sapiens_common').joinpath('data/goliath308.json').read_text(encoding='utf-8')
    return json.loads(text)
