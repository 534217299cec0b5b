# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What goes in: photos, folders and videos, people's boxes, and person masks."""
