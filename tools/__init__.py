# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The commands, which a wheel brings as the package ``sapiens_tools``."""
