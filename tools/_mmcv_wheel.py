# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Look for a ready mmcv wheel that fits this torch, for tools/install.sh: ``python tools/_mmcv_wheel.py mmcv==2.1.0 OUT``.

Asks the page or folder of wheels that the variable MMCV_INDEX names, else OpenMMLab's page for this torch and CUDA, as mmcv's
installation guide has it. A wheel whose compiled operators do not load is not taken. Exit code 0 if there is one in OUT.
"""

import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from zipfile import ZipFile

import torch


def find_index() -> str:
    """Where to look."""
    if os.environ.get('MMCV_INDEX'):
        return os.environ['MMCV_INDEX']
    cuda = 'cu' + torch.version.cuda.replace('.', '') if torch.version.cuda else 'cpu'
    release = '.'.join(torch.__version__.split('.')[:2])
    return f'https://download.openmmlab.com/mmcv/dist/{cuda}/torch{release}/index.html'


def loads(wheel: Path) -> bool:
    """Whether the wheel has compiled operators, and they load into this torch."""
    with tempfile.TemporaryDirectory() as folder, ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.startswith('mmcv/_ext.')]
        if not names:
            return False
        archive.extract(names[0], folder)
        spec = importlib.util.spec_from_file_location('mmcv._ext', Path(folder, names[0]))
        assert spec is not None
        try:
            importlib.util.module_from_spec(spec)
        except ImportError as error:
            print(f'{wheel.name} does not load: {error}', file=sys.stderr)
            return False
    return True


def main() -> int:
    """Download, try, and say whether there is one."""
    requirement, out = sys.argv[1:]
    command = [sys.executable, '-m', 'pip', 'download', requirement, '--no-deps', '--no-index']
    command += ['--only-binary', ':all:', '--find-links', find_index(), '--dest', out]
    command += ['--timeout', '15', '--retries', '0', '--disable-pip-version-check', '--quiet']
    if subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode:
        return 1
    wheel = max(Path(out).glob('mmcv-*.whl'), key=lambda path: path.stat().st_mtime)
    if loads(wheel):
        return 0
    wheel.unlink()
    return 1


if __name__ == '__main__':
    sys.exit(main())
