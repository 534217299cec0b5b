# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""One encoder, many heads: keypoints, body parts, depth, normals and mattes from one pass."""

from sapiens_common.compat import check_versions

check_versions('mmpose', 'mmseg')
