# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Top-down pose with 308, 133 or 17 keypoints: head, codec, losses, data and evaluation."""

from sapiens_common.compat import check_versions

check_versions('mmengine', 'mmcv', 'mmpose', 'mmdet')  # mmpose.models imports mmdet
