# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Checks of Python, torch and the OpenMMLab libraries: versions, and whether their parts work."""

import importlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from packaging.version import Version

from doctor_checks.report import Finding, Status
from sapiens_common.compat import WINDOWS, register_safe_globals

OK, WARNING, ERROR, SKIPPED = Status.OK, Status.WARNING, Status.ERROR, Status.SKIPPED

_NEEDED_FOR = {
    'mmengine': 'everything',
    'mmcv': 'everything',
    'mmdet': 'the person detector and pose',
    'mmpose': 'pose',
    'mmseg': 'segmentation, depth and normals',
    'mmpretrain': 'MAE pretraining',
}
_REQUIRED = ('mmengine', 'mmcv')
# Why the window of a distribution ends where it does.
_REASONS = {
    'mmcv': '. mmdet 3.3.0 and mmsegmentation 1.2.2 refuse mmcv 2.2.0; mmcv 2.1.0 also builds with newer '
    'torch: "bash tools/install.sh" does it',
    'mmengine': '. 0.10.5 and older stop with "Adafactor is already registered" beside transformers and '
    'torch 2.5 or newer',
}


def version_of(distribution: str) -> str | None:
    """Installed version of a distribution, or None."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def check_python() -> Iterator[Finding]:
    """The interpreter's version."""
    found = '.'.join(map(str, sys.version_info[:3]))
    if sys.version_info >= (3, 13):
        mend = 'use Python 3.10 to 3.12: mmcv 2.1.0 does not build on 3.13'
        yield Finding('python', WARNING, found, mend)
    else:
        yield Finding('python', OK, found)


def check_torch() -> Iterator[Finding]:
    """Whether torch and torchvision fit each other, by using an operator of the latter."""
    try:
        import torch
    except ImportError as error:
        yield Finding('torch', ERROR, str(error), 'run "bash tools/install.sh"')
        return
    yield Finding('torch', OK, torch.__version__)
    try:
        import torchvision

        torchvision.ops.nms(torch.zeros(1, 4), torch.zeros(1), 0.5)
    except (ImportError, RuntimeError, AttributeError) as error:
        yield Finding(
            'torchvision',
            ERROR,
            f'{version_of("torchvision")}: {error}',
            'torch and torchvision come from different builds (CPU and CUDA, say): reinstall both '
            'with one command from one index',
        )
    else:
        yield Finding('torchvision', OK, torchvision.__version__)


def check_windows() -> Iterator[Finding]:
    """Versions of the OpenMMLab libraries against the tested windows, forks included."""
    for module, choices in WINDOWS.items():
        installed = [(name, low, high) for name, low, high in choices if version_of(name)]
        missing = ERROR if module in _REQUIRED else WARNING
        if not installed:
            name, low, high = choices[0]
            mend = f'pip install "{name}>={low},<{high}"'
            yield Finding(module, missing, f'not installed (for {_NEEDED_FOR[module]})', mend)
            continue
        if len(installed) > 1:
            names = ' and '.join(name for name, _, _ in installed)
            yield Finding(
                module,
                ERROR,
                f'{names} are both installed into the same folder, one has overwritten the other',
                f'uninstall both, then install one: pip uninstall {names.replace(" and ", " ")}',
            )
            continue
        name, low, high = installed[0]
        found = version_of(name) or '0'  # it is installed: listed above
        if Version(low) <= Version(found) < Version(high):
            yield Finding(module, OK, f'{name} {found}')
        else:
            mend = f'pip install "{name}>={low},<{high}"' + _REASONS.get(name, '')
            yield Finding(
                module, ERROR, f'{name} {found} is outside {low} <= version < {high}', mend
            )


def check_shadowed_libraries() -> Iterator[Finding]:
    """Whether an imported library is the installed one: edited copies use the same import names."""
    for module in _REQUIRED:
        names = [name for name, _, _ in WINDOWS[module] if version_of(name)]
        if not names:
            continue
        imported = importlib.import_module(module)
        if imported.__version__ != version_of(names[0]):
            yield Finding(
                f'{module} source',
                ERROR,
                f'{imported.__file__} is version {imported.__version__}, installed is '
                f'{version_of(names[0])}',
                'another copy (the original Sapiens repository ships edited ones) comes first on the '
                'path: take its folder out of PYTHONPATH or uninstall it',
            )


def check_setuptools() -> Iterator[Finding]:
    """At run time mmengine 0.10.7 needs pkg_resources, which setuptools 82 dropped."""
    found = version_of('setuptools') or 'not installed'
    if find_spec('pkg_resources'):
        yield Finding('pkg_resources', OK, f'setuptools {found}')
    elif version_of('onedl-mmengine'):
        yield Finding('pkg_resources', OK, f'not there, not needed (setuptools {found})')
    else:
        mend = 'pip install "setuptools<81": mmengine <= 0.10.7 imports it when it reads a config'
        yield Finding('pkg_resources', ERROR, f'gone (setuptools {found})', mend)


def check_checkpoints() -> Iterator[Finding]:
    """Whether a checkpoint as mmengine writes it can be read with ``weights_only``."""
    import torch
    from mmengine.logging import HistoryBuffer

    register_safe_globals()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'checkpoint.pth'
        torch.save({'message_hub': {'loss': HistoryBuffer([1.0], [1])}}, path)
        try:
            torch.load(path, weights_only=True)
        # torch reports a refused object as UnpicklingError or as a RuntimeError around it.
        except Exception as error:
            yield Finding(
                'checkpoints',
                ERROR,
                f'torch {torch.__version__} refuses what mmengine writes: {error}',
                f'install a torch within the tested range; report this with torch {torch.__version__}',
            )
        else:
            yield Finding('checkpoints', OK, 'mmengine checkpoints load with weights_only=True')


def check_mmcv_ops() -> Iterator[Finding]:
    """Whether mmcv has its compiled operators, on the devices that are there."""
    # The fork's file on PyPI has no operators either; upstream's mmcv beside it would overwrite it.
    name = 'onedl-mmcv' if version_of('onedl-mmcv') else 'mmcv'
    wanted = version_of(name) if name == 'onedl-mmcv' else '2.1.0'
    rebuild = (
        f'rebuild it against this torch: pip uninstall {name} mmcv-lite; MMCV_WITH_OPS=1 pip install '
        f'--no-build-isolation --no-cache-dir --no-binary {name} {name}=={wanted} (6 to 12 minutes)'
    )
    try:
        import torch
        from mmcv.ops import nms
    # ModuleNotFoundError without ops; ImportError with ops for another torch (undefined symbol).
    except ImportError as error:
        if version_of('mmcv-lite'):
            rebuild = 'mmcv-lite has no operators: ' + rebuild
        mend = f'{rebuild}. Needed by the RTMDet detector and by mmpose.models'
        yield Finding('mmcv operators', ERROR, str(error), mend)
        return
    devices = ['cpu', *(['cuda'] if torch.cuda.is_available() else [])]
    for device in devices:
        boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0]], device=device)
        try:
            nms(boxes, torch.ones(1, device=device), 0.5)
        except RuntimeError as error:
            mend = f'{rebuild}, with FORCE_CUDA=1 and nvcc of the CUDA version torch was built with'
            yield Finding(f'mmcv operators on {device}', ERROR, str(error).split('\n')[0], mend)
        else:
            yield Finding(f'mmcv operators on {device}', OK, 'nms runs')


def check_xtcocotools() -> Iterator[Finding]:
    """The wheel of xtcocotools is built against numpy 1 and does not load with numpy 2."""
    found = version_of('xtcocotools')
    if found is None:
        mend = 'pip install --no-build-isolation --no-binary xtcocotools cython xtcocotools'
        yield Finding('xtcocotools', WARNING, 'not installed (for pose)', mend)
        return
    try:
        importlib.import_module('xtcocotools._mask')
    # "numpy.dtype size changed, may indicate binary incompatibility" is a ValueError.
    except (ImportError, ValueError) as error:
        yield Finding(
            'xtcocotools',
            ERROR,
            f'{found} with numpy {version_of("numpy")}: {error}',
            'build it against your numpy: pip install --force-reinstall --no-deps '
            '--no-build-isolation --no-binary xtcocotools xtcocotools (needs cython and a compiler)',
        )
    else:
        yield Finding('xtcocotools', OK, f'{found} with numpy {version_of("numpy")}')


def check_albumentations() -> Iterator[Finding]:
    """The wrapper of mmpose breaks on albumentations 2; argument names changed in 1.4.20."""
    found = version_of('albumentations')
    mend = 'pip install "albumentations>=1.4.20,<2"'
    if found is None:
        yield Finding('albumentations', WARNING, 'not installed (for pose training)', mend)
    elif not Version('1.4.20') <= Version(found) < Version('2'):
        why = (
            "mmpose's Albumentation transform fails"
            if Version(found) >= Version('2')
            else 'too old'
        )
        yield Finding('albumentations', ERROR, f'{found}: {why}', mend)
    else:
        yield Finding('albumentations', OK, found)


def check_transformers() -> Iterator[Finding]:
    """Multimodal models of mmpretrain fail to import beside transformers newer than 4.49."""
    beside = next((name for name, *_ in WINDOWS['mmpretrain'] if version_of(name)), None)
    if beside is None or version_of('transformers') is None:
        yield Finding('transformers', OK, 'does not meet mmpretrain here')
        return
    found = f'{version_of("transformers")} beside {beside} {version_of(beside)}'
    code = 'import mmpretrain.models'
    result = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    if result.returncode == 0:
        yield Finding('transformers', OK, f'{found}: mmpretrain.models imports')
        return
    yield Finding(
        'transformers',
        WARNING,
        f'{found}: {result.stderr.strip().splitlines()[-1]}',
        'only MAE pretraining needs mmpretrain.models: pip install "transformers<=4.49" (onedl-mmpretrain: '
        '">=4.53,<5"), or uninstall transformers there; pose, segmentation, depth and normals do not care',
    )


def check_chumpy() -> Iterator[Finding]:
    """Pip asks for chumpy because mmpose lists it; no code of mmpose uses it."""
    if version_of('mmpose') and version_of('chumpy') is None:
        yield Finding(
            'chumpy', OK, 'absent; mmpose lists it but no code uses it, and it cannot build'
        )


LIBRARY_CHECKS = (
    check_python,
    check_torch,
    check_windows,
    check_shadowed_libraries,
    check_setuptools,
    check_checkpoints,
    check_mmcv_ops,
    check_xtcocotools,
    check_albumentations,
    check_transformers,
    check_chumpy,
)
