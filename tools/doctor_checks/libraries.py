# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Checks of Python, torch and the OpenMMLab libraries: versions, and whether their parts work."""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from doctor_checks.report import Finding, Status
from packaging.requirements import Requirement
from packaging.version import Version

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


def _read_windows() -> dict[str, list[tuple[str, str, str]]]:
    """Import name to (distribution, at least, below), from the file that the suite reads too."""
    spec = find_spec('sapiens_common')
    assert spec is not None and spec.submodule_search_locations
    path = Path(spec.submodule_search_locations[0], 'data/version_windows.json')
    return {
        module: [(name, low, high) for name, low, high in rows]
        for module, rows in json.loads(path.read_text('utf-8')).items()
    }


WINDOWS = _read_windows()
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
        fix = 'use Python 3.10 to 3.12: mmcv 2.1.0 does not build on 3.13'
        yield Finding('python', WARNING, found, fix)
    else:
        yield Finding('python', OK, found)


def check_torch() -> Iterator[Finding]:
    """Whether torch and torchvision fit each other, by using an operator of the latter."""
    try:
        import torch
    except ImportError as error:
        yield Finding('torch', ERROR, str(error), 'run "bash tools/install.sh"')
        return
    (_, low, high), *_ = WINDOWS['torch']
    if Version(low).release <= Version(torch.__version__).release < Version(high).release:
        yield Finding('torch', OK, torch.__version__)
    else:
        fix = f'install torch {low} or newer; docs/parity.md lists the tested versions'
        yield Finding(
            'torch', ERROR, f'{torch.__version__} is outside {low} <= version < {high}', fix
        )
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
    for module in _NEEDED_FOR:
        choices = WINDOWS[module]
        installed = [(name, low, high) for name, low, high in choices if version_of(name)]
        missing = ERROR if module in _REQUIRED else WARNING
        if not installed:
            name, low, high = choices[0]
            fix = f'pip install "{name}>={low},<{high}"'
            yield Finding(module, missing, f'not installed (for {_NEEDED_FOR[module]})', fix)
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
            fix = f'pip install "{name}>={low},<{high}"' + _REASONS.get(name, '')
            yield Finding(
                module, ERROR, f'{name} {found} is outside {low} <= version < {high}', fix
            )


def check_shadowed_libraries() -> Iterator[Finding]:
    """Whether what Python would import is what is installed: edited copies use the same import names."""
    for module in _NEEDED_FOR:
        names = [name for name, _, _ in WINDOWS[module] if version_of(name)]
        if not names:
            continue
        spec = find_spec(module)
        assert spec is not None and spec.origin is not None  # it is installed
        folder = Path(spec.origin).parent
        stated = re.search(
            r"^__version__ = '(.+)'", (folder / 'version.py').read_text('utf-8'), re.M
        )
        if stated is None or stated[1] != version_of(names[0]):
            yield Finding(
                f'{module} source',
                ERROR,
                f'{folder} is version {stated[1] if stated else "unknown"}, installed is '
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
        fix = 'pip install "setuptools<81": mmengine <= 0.10.7 imports it when it reads a config'
        yield Finding('pkg_resources', ERROR, f'gone (setuptools {found})', fix)


_SAVE_AND_LOAD = """
import sys, torch
from mmengine.config import ConfigDict
from mmengine.logging import HistoryBuffer
torch.save({'message_hub': HistoryBuffer([1.0], [1]), 'meta': ConfigDict(a=1)}, sys.argv[1])
if len(sys.argv) > 2:
    __import__(sys.argv[2])
torch.load(sys.argv[1])
"""


def check_checkpoints() -> Iterator[Finding]:
    """Whether upstream's tools can read a checkpoint as mmengine writes it: before and after ours."""
    with tempfile.TemporaryDirectory() as folder:
        for module in ('', 'sapiens_common'):
            command = [sys.executable, '-c', _SAVE_AND_LOAD, str(Path(folder, 'a.pth'))]
            result = subprocess.run([*command, *([module] if module else [])], capture_output=True)
            if result.returncode == 0:
                break
    if result.returncode:
        error = result.stderr.decode().strip().splitlines()[-1]
        fix = f'reinstall with "bash tools/install.sh"; if this stays, report it with torch {version_of("torch")}'
        yield Finding('checkpoints', ERROR, f'what mmengine writes cannot be read: {error}', fix)
    elif module:
        yield Finding(
            'checkpoints',
            WARNING,
            f'torch {version_of("torch")} refuses what mmengine writes until a package of the suite is '
            'imported',
            "the suite's own commands are not affected; in upstream's tools import one first: "
            "custom_imports=dict(imports=['sapiens_common']) in the config, or import sapiens_common",
        )
    else:
        yield Finding('checkpoints', OK, 'what mmengine writes is read')


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
        fix = f'{rebuild}. Needed by the RTMDet detector and by mmpose.models'
        yield Finding('mmcv operators', ERROR, str(error), fix)
        return
    devices = ['cpu', *(['cuda'] if torch.cuda.is_available() else [])]
    for device in devices:
        boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0]], device=device)
        try:
            nms(boxes, torch.ones(1, device=device), 0.5)
        except RuntimeError as error:
            fix = f'{rebuild}, with FORCE_CUDA=1 and nvcc of the CUDA version torch was built with'
            yield Finding(f'mmcv operators on {device}', ERROR, str(error).split('\n')[0], fix)
        else:
            yield Finding(f'mmcv operators on {device}', OK, 'nms runs')


_USE_XTCOCOTOOLS = """
import numpy as np
from xtcocotools import mask
from xtcocotools.coco import COCO
square = np.zeros((4, 6), np.uint8, order='F')
square[1:3, 2:5] = 1
assert (mask.decode(mask.encode(square)) == square).all()
assert mask.iou([mask.encode(square)], [mask.encode(square)], [0])[0, 0] == 1
"""


def check_xtcocotools() -> Iterator[Finding]:
    """Whether the compiled part of xtcocotools fits numpy, by using it.

    Its wheel is built against numpy 1 and does not load with numpy 2. Built against numpy 2.4 or newer it
    loads, but decoding a mask asks for a constant that numpy dropped.
    """
    found = version_of('xtcocotools')
    if found is None:
        fix = 'pip install --no-build-isolation --no-binary xtcocotools cython xtcocotools'
        yield Finding('xtcocotools', WARNING, 'not installed (for pose)', fix)
        return
    result = subprocess.run(
        [sys.executable, '-c', _USE_XTCOCOTOOLS], capture_output=True, text=True
    )
    beside = f'{found} with numpy {version_of("numpy")}'
    if result.returncode == 0:
        yield Finding('xtcocotools', OK, f'{beside}: masks and boxes work')
        return
    error = result.stderr.strip().splitlines()[-1]
    if 'NPY_OWNDATA' in error:
        yield Finding(
            'xtcocotools',
            WARNING,
            f'{beside}: boxes work, decoding a mask fails ({error})',
            'COCO annotations with masks cannot be scored: "bash tools/install.sh" builds a corrected one',
        )
        return
    yield Finding(
        'xtcocotools',
        ERROR,
        f'{beside}: {error}',
        'build it against your numpy: pip install --force-reinstall --no-deps '
        '--no-build-isolation --no-binary xtcocotools xtcocotools (needs cython and a compiler)',
    )


def check_albumentations() -> Iterator[Finding]:
    """The wrapper of mmpose breaks on albumentations 2; argument names changed in 1.4.20."""
    found = version_of('albumentations')
    fix = 'pip install "albumentations>=1.4.20,<2"'
    if found is None:
        yield Finding('albumentations', WARNING, 'not installed (for pose training)', fix)
    elif not Version('1.4.20') <= Version(found) < Version('2'):
        why = (
            "mmpose's Albumentation transform fails"
            if Version(found) >= Version('2')
            else 'too old'
        )
        yield Finding('albumentations', ERROR, f'{found}: {why}', fix)
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


_SHARED_WITH_GRADIO = ('huggingface-hub', 'pillow', 'numpy')


def requirements_of(distribution: str) -> list[Requirement]:
    """What an installed distribution asks for, extras and other platforms left out."""
    found = [Requirement(line) for line in metadata.requires(distribution) or ()]
    return [r for r in found if r.marker is None or r.marker.evaluate({'extra': ''})]


def check_gradio() -> Iterator[Finding]:
    """Gradio and transformers ask for different huggingface_hub, and Gradio for a Pillow that is not too new."""
    found = version_of('gradio')
    if found is None:
        yield Finding('gradio', OK, 'not installed (for the page in the browser, extra "web")')
        return
    clashes = []
    for asking in ('gradio', 'transformers'):
        for wanted in requirements_of(asking) if version_of(asking) else ():
            have = version_of(wanted.name)
            if wanted.name.lower() in _SHARED_WITH_GRADIO and have is not None:
                if not wanted.specifier.contains(have, prereleases=True):
                    clashes.append(f'{asking} {version_of(asking)} wants {wanted}, there is {have}')
    if not clashes:
        beside = ', '.join(f'{name} {version_of(name)}' for name in _SHARED_WITH_GRADIO)
        yield Finding('gradio', OK, f'{found} with {beside}')
        return
    yield Finding(
        'gradio',
        WARNING,
        '; '.join(clashes),
        'pip install "gradio>=6,<7" "pillow<13" brings what the page needs; transformers 4 (mmpretrain\'s multimodal '
        'models) wants huggingface_hub below 1 and cannot share an environment with it: uninstall one of the two',
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
    check_gradio,
    check_chumpy,
)
