# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
import pytest
from annotate_tasks import write_photos


@pytest.fixture
def photos(tmp_path):
    """A folder with twenty photos of noise."""
    write_photos(tmp_path / 'photos', 20)
    return tmp_path / 'photos'
