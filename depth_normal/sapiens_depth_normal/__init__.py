# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Every per-pixel regression: depth, normals, pointmaps, albedo and mattes of people."""

from sapiens_common.compat import check_versions

check_versions('mmengine', 'mmcv', 'mmseg')
