# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What ``tools/data/check_dataset.py`` looks at: samples as training reads them, label files; and keypoint layouts of one's own."""
