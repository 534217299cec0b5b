# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The page in the browser: ``python tools/web_demo.py``. Needs the extra ``web`` (Gradio)."""
