# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What runs: models, batches, the pipeline of stages, and the inferencer that every task extends."""
