# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Files that strangers bring: images, maps, boxes, text. Errors name the file and what is wrong."""
