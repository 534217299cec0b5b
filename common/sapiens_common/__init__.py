# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What two or more tasks share: decoder blocks, checkpoints, transforms, layouts, files and drawing."""

from .compat import (
    check_versions,
    drop_fused,
    register_safe_globals,
    suggest_prefixes,
    warn_of_opencv,
)

check_versions('torch', 'mmengine', 'mmcv')
register_safe_globals()
suggest_prefixes()
drop_fused()
warn_of_opencv()

__version__ = '0.1.0'
