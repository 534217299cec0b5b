# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Training for all tasks: runner and loops that resume to the bit, hooks, optimizers, data loading, sharding."""

from sapiens_common.compat import check_versions

check_versions('torch', 'mmengine', 'mmcv')
