# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
import pytest
from mmengine.registry import DefaultScope


@pytest.fixture(autouse=True)
def _scope(_own_default_scope):
    """The dense configs' default scope."""
    with DefaultScope.overwrite_default_scope('mmseg'):
        yield
