# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Person detection for the top-down tasks: RTMDet on upstream mmdet."""

from sapiens_common.compat import check_versions

check_versions('mmengine', 'mmcv', 'mmdet')
