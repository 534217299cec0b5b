# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
import stat

import pytest
import torch
from safetensors import safe_open

from sapiens_common.files.tensors import save_tensors


@pytest.mark.parametrize('mode', [None, 0o664])
def test_others_may_read_the_file(tmp_path, mode):
    path, plain = tmp_path / 'a.safetensors', tmp_path / 'plain'
    plain.write_text('')
    if mode:
        path.write_text('an older file')
        path.chmod(mode)
    save_tensors(path, {'w': torch.arange(3.0)}, {'format': 'pt'})
    found = stat.S_IMODE(path.stat().st_mode)
    assert found == (mode or stat.S_IMODE(plain.stat().st_mode))
    with safe_open(path, 'pt') as file:
        assert file.metadata() == {'format': 'pt'}
        assert file.get_tensor('w').tolist() == [0, 1, 2]
