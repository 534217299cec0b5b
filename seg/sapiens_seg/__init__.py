# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Body-part segmentation: 28 Goliath classes, LIP and CIHP, faces, foreground and a user's own."""

from sapiens_common.compat import check_versions

check_versions('mmengine', 'mmcv', 'mmseg')
