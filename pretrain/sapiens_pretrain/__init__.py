# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The Sapiens encoder, its MAE pretraining and feature extraction."""

from sapiens_common.compat import check_versions

check_versions('mmengine')
