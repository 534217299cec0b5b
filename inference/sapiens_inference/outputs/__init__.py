# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What comes out: results, files, summaries, and models in other formats."""
