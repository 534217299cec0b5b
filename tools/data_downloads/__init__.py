# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What ``tools/data/download.py`` does: fetching files that may break off, and unpacking them."""
