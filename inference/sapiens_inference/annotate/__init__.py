# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Labels for millions of photos: shards of work, workers that may die at any time, output that does not show it."""
