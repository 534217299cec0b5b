# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""From a command line to a run of training or evaluation: options, config, process group, runner."""
