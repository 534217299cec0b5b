# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Relative depth and surface normals of people: models, data, training and evaluation."""

from sapiens_common.compat import check_versions

check_versions('mmengine', 'mmcv', 'mmseg')
