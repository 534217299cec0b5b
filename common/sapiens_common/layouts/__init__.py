# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Keypoints and body parts as data: names, sides, mirror partners, colours, skeletons."""
