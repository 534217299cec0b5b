# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The config tree of the suite, shipped as package data: ``files('sapiens_configs')``."""
