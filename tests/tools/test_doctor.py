# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The doctor names every known trap with its fix, in any environment."""

import json
import subprocess
import sys
from collections import namedtuple
from importlib import metadata
from importlib.util import spec_from_file_location
from types import SimpleNamespace

import pytest
from doctor_checks import exit_code, libraries, machine, run_checks, to_json, to_text
from doctor_checks.report import Finding, Status

TOOL = 'tools/doctor.py'


@pytest.fixture
def installed(monkeypatch):
    """Replace installed versions: `installed(mmcv='2.2.0', mmdet=None)`. Forks are there only if named."""

    def real(name):
        return None if name.startswith('onedl-') else version_of(name)

    version_of = libraries.version_of

    def replace(**versions):
        versions = {name.replace('_', '-'): version for name, version in versions.items()}
        monkeypatch.setattr(
            libraries,
            'version_of',
            lambda name: versions[name] if name in versions else real(name),
        )

    return replace


def only(findings, name):
    (found,) = [finding for finding in findings if finding.name == name]
    return found


def broken_import(monkeypatch, name, error):
    """Let an import fail."""
    real = __import__

    def fail(module, *args, **kwargs):
        if module == name:
            raise error
        return real(module, *args, **kwargs)

    monkeypatch.setattr('builtins.__import__', fail)


def test_this_environment_is_healthy(root):
    result = subprocess.run(
        [sys.executable, str(root / TOOL), '--json'], capture_output=True, text=True
    )
    findings = json.loads(result.stdout)
    errors = [finding for finding in findings if finding['status'] == 'error']
    assert not errors
    assert result.returncode == 0
    assert {'python', 'torch', 'mmcv', 'shared memory', 'distributed'} <= {
        finding['name'] for finding in findings
    }


def test_runs_where_nothing_is_installed(root, tmp_path):
    # Hide mmengine: the suite itself does not import then, the doctor must.
    code = (
        'import sys, runpy\n'
        'from importlib import metadata\n'
        'real = metadata.version\n'
        'def version(name):\n'
        "    if name in ('mmengine', 'onedl-mmengine'): raise metadata.PackageNotFoundError(name)\n"
        '    return real(name)\n'
        'metadata.version = version\n'
        "sys.modules['mmengine'] = None\n"
        f"sys.path.insert(0, r'{root / 'tools'}')\n"
        f"sys.argv = ['doctor.py']\n"
        f"runpy.run_path(r'{root / TOOL}', run_name='__main__')\n"
    )
    result = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert result.returncode == 1, result.stderr
    assert 'error    mmengine: not installed (for everything)' in result.stdout
    assert 'pip install "mmengine>=0.10.7,<1.0.0"' in result.stdout


@pytest.mark.parametrize(
    ('versions', 'name', 'status', 'fix'),
    [
        ({'mmcv': '2.2.0'}, 'mmcv', Status.ERROR, 'refuse mmcv 2.2.0'),
        ({'mmengine': '0.8.4'}, 'mmengine', Status.ERROR, 'mmengine>=0.10.7'),
        ({'mmengine': '0.10.5'}, 'mmengine', Status.ERROR, 'Adafactor is already registered'),
        ({'mmpose': None}, 'mmpose', Status.WARNING, 'mmpose>=1.3.2'),
        (
            {'mmengine': '0.10.7', 'onedl_mmengine': '0.10.12'},
            'mmengine',
            Status.ERROR,
            'uninstall both',
        ),
        ({'mmengine': None, 'onedl_mmengine': '0.10.12'}, 'mmengine', Status.OK, ''),
    ],
)
def test_version_windows(installed, versions, name, status, fix):
    installed(**versions)
    finding = only(libraries.check_windows(), name)
    assert finding.status is status
    assert fix in finding.fix


@pytest.mark.parametrize('module', ['mmengine', 'mmpose'])
def test_shadowed_by_another_copy(monkeypatch, tmp_path, module):
    assert not list(libraries.check_shadowed_libraries())
    copy = tmp_path / module
    copy.mkdir()
    (copy / '__init__.py').touch()
    (copy / 'version.py').write_text("__version__ = '0.8.4'\n")
    found = spec_from_file_location(module, copy / '__init__.py')
    real = libraries.find_spec
    monkeypatch.setattr(
        libraries, 'find_spec', lambda name: found if name == module else real(name)
    )
    (finding,) = libraries.check_shadowed_libraries()
    assert finding.status is Status.ERROR
    assert f'{copy} is version 0.8.4' in finding.found
    assert 'edited' in finding.fix


def test_setuptools_without_pkg_resources(monkeypatch, installed):
    installed(setuptools='84.0')
    monkeypatch.setattr(libraries, 'find_spec', lambda name: None)
    (finding,) = libraries.check_setuptools()
    assert finding.status is Status.ERROR
    assert 'setuptools<81' in finding.fix
    installed(onedl_mmengine='0.10.12')
    assert exit_code(libraries.check_setuptools()) == 0


def test_torchvision_of_another_build(monkeypatch):
    import torchvision

    def missing(*args):
        raise RuntimeError('operator torchvision::nms does not exist')

    monkeypatch.setattr(torchvision.ops, 'nms', missing)
    finding = only(libraries.check_torch(), 'torchvision')
    assert finding.status is Status.ERROR
    assert 'different builds' in finding.fix


def answers(monkeypatch, *returns):
    """Let the processes that the doctor starts end so, one after the other: (return code, stderr)."""
    left = list(returns)

    def run(command, **options):
        code, error = left.pop(0)
        return SimpleNamespace(
            returncode=code, stderr=error if 'text' in options else error.encode()
        )

    monkeypatch.setattr(libraries.subprocess, 'run', run)


@pytest.mark.parametrize(
    ('returns', 'status', 'said'),
    [
        ([(0, '')], Status.OK, 'what mmengine writes is read'),
        ([(1, 'x'), (0, '')], Status.WARNING, 'until a package of the suite is imported'),
        ([(1, 'x'), (1, 'a\nUnpicklingError: no')], Status.ERROR, 'UnpicklingError: no'),
    ],
)
def test_checkpoints_that_torch_refuses(monkeypatch, returns, status, said):
    answers(monkeypatch, *returns)
    (finding,) = libraries.check_checkpoints()
    assert finding.status is status and said in finding.found


def test_checkpoints_here():
    import torch

    (finding,) = libraries.check_checkpoints()
    refused = tuple(map(int, torch.__version__.split('.')[:2])) >= (2, 6)
    assert finding.status is (Status.WARNING if refused else Status.OK)
    assert ('custom_imports' in finding.fix) == refused


def test_nothing_of_the_suite_is_imported(root):
    """It would end on the very environment to be examined."""
    code = (
        'import sys\n'
        f'sys.path[:0] = [{str(root / "tools")!r}, {str(root / "common")!r}]\n'
        'import doctor_checks\n'
        'list(doctor_checks.run_checks(doctor_checks.CHECKS))\n'
        "print([name for name in sys.modules if name.startswith('sapiens')])\n"
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.stdout.strip() == '[]', done.stderr


def test_torch_outside_the_range(monkeypatch):
    import torch

    monkeypatch.setattr(torch, '__version__', '2.0.1+cu118')
    finding = only(libraries.check_torch(), 'torch')
    assert finding.status is Status.ERROR
    assert '2.0.1+cu118 is outside 2.1.0 <= version' in finding.found


def test_opencv_that_warps_otherwise(monkeypatch):
    import cv2

    monkeypatch.setattr(cv2, '__version__', '5.0.0')
    (finding,) = machine.check_opencv()
    assert finding.status is Status.WARNING
    assert 'opencv-python<5' in finding.fix


def test_mmcv_without_operators(monkeypatch):
    error = ModuleNotFoundError("No module named 'mmcv._ext'")
    broken_import(monkeypatch, 'mmcv.ops', error)
    (finding,) = libraries.check_mmcv_ops()
    assert finding.status is Status.ERROR
    assert 'mmcv._ext' in finding.found
    assert '--no-build-isolation' in finding.fix


def test_fix_of_the_fork_is_the_fork(monkeypatch, installed):
    installed(onedl_mmcv='2.3.6')
    broken_import(monkeypatch, 'mmcv.ops', ModuleNotFoundError("No module named 'mmcv._ext'"))
    (finding,) = libraries.check_mmcv_ops()
    assert '--no-binary onedl-mmcv onedl-mmcv==2.3.6' in finding.fix


@pytest.mark.parametrize(
    ('error', 'status', 'fix'),
    [
        (
            'ValueError: numpy.dtype size changed, may indicate binary incompatibility',
            Status.ERROR,
            '--no-binary xtcocotools',
        ),
        (
            "AttributeError: module 'numpy' has no attribute 'NPY_OWNDATA'",
            Status.WARNING,
            'builds a corrected one',
        ),
    ],
)
def test_xtcocotools_of_another_numpy(monkeypatch, error, status, fix):
    answers(monkeypatch, (1, f'Traceback\n{error}'))
    (finding,) = libraries.check_xtcocotools()
    assert finding.status is status
    assert fix in finding.fix and error in finding.found


def test_xtcocotools_here_decodes_masks():
    (finding,) = libraries.check_xtcocotools()
    assert finding.status is Status.OK, finding


@pytest.mark.parametrize(
    ('version', 'status'),
    [
        ('2.0.8', Status.ERROR),
        ('1.3.1', Status.ERROR),
        (None, Status.WARNING),
        ('1.4.24', Status.OK),
    ],
)
def test_albumentations(installed, version, status):
    installed(albumentations=version)
    (finding,) = libraries.check_albumentations()
    assert finding.status is status


def test_transformers_beside_mmpretrain(monkeypatch, installed):
    installed(transformers='5.23.0', mmpretrain='1.2.0')
    answer = SimpleNamespace(
        returncode=1, stderr="Traceback\nImportError: cannot import name 'x'\n"
    )
    monkeypatch.setattr(libraries.subprocess, 'run', lambda *args, **kwargs: answer)
    (finding,) = libraries.check_transformers()
    assert finding.status is Status.WARNING
    assert 'transformers<=4.49' in finding.fix


def test_machine_limits(monkeypatch):
    usage = namedtuple('usage', 'total used free')
    monkeypatch.setattr(machine.shutil, 'disk_usage', lambda path: usage(2**26, 0, 2**26))
    (shared,) = machine.check_shared_memory()
    assert shared.status is Status.WARNING
    assert '--shm-size' in shared.fix
    (disk,) = machine.check_disk()
    assert disk.status is Status.WARNING
    monkeypatch.setattr('resource.getrlimit', lambda which: (1024, 524288))
    (files,) = machine.check_open_files()
    assert files.status is Status.WARNING
    assert 'ulimit -n 65536' in files.fix


def test_gpu_that_torch_was_not_built_for(monkeypatch):
    import torch

    def fail(*args, **kwargs):
        raise RuntimeError('CUDA error: no kernel image is available for execution on the device')

    device = SimpleNamespace(name='New GPU', total_memory=2**35, major=12, minor=0)
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 1)
    monkeypatch.setattr(torch.cuda, 'get_arch_list', lambda: ['sm_80', 'sm_90'])
    monkeypatch.setattr(torch.cuda, 'get_device_properties', lambda index: device)
    monkeypatch.setattr(torch, 'ones', fail)
    (finding,) = machine.check_gpu()
    assert finding.status is Status.ERROR
    assert 'sm_80, sm_90' in finding.fix


def test_apple_gpu(monkeypatch):
    import torch

    monkeypatch.setattr(torch.backends.mps, 'is_available', lambda: True)
    (finding,) = machine.check_gpu()
    assert finding.status is Status.WARNING
    assert 'detector on the CPU' in finding.fix


def test_opencv_without_system_libraries(monkeypatch):
    error = ImportError('libGL.so.1: cannot open shared object file')
    broken_import(monkeypatch, 'cv2', error)
    (finding,) = machine.check_opencv()
    assert finding.status is Status.ERROR
    assert 'headless' in finding.fix


def test_a_failing_check_is_a_finding():
    def check_something():
        raise KeyError('surprise')
        yield

    (finding,) = run_checks([check_something])
    assert finding.status is Status.ERROR
    assert finding.name == 'something'
    assert 'surprise' in finding.found


def test_reports():
    findings = [Finding('a', Status.OK, '1'), Finding('b', Status.WARNING, '2', 'do that')]
    assert to_text(findings) == 'ok       a: 1\nwarning  b: 2\n         -> do that'
    assert json.loads(to_json(findings))[1] == {
        'name': 'b',
        'status': 'warning',
        'found': '2',
        'fix': 'do that',
    }
    assert exit_code(findings) == 0
    assert exit_code([Finding('c', Status.ERROR, '')]) == 1


def test_version_of_nothing():
    assert libraries.version_of('no-such-distribution') is None
    assert libraries.version_of('torch') == metadata.version('torch')


def test_gradio_beside_an_old_hub_or_a_new_pillow(installed, monkeypatch):
    wanted = {
        'gradio': [
            'huggingface-hub<3.0,>=1.16.0',
            'pillow<13.0,>=8.0',
            'pydantic>=2; extra == "mcp"',
        ],
        'transformers': ['huggingface-hub<1.0,>=0.26.0'],
    }
    monkeypatch.setattr(libraries.metadata, 'requires', wanted.get)
    versions = {'gradio': '6.31.0', 'huggingface_hub': '2.4.0', 'numpy': '2.4.6'}
    installed(**versions, pillow='12.3.0', transformers=None)
    (fine,) = libraries.check_gradio()
    assert fine.status is Status.OK and 'pillow 12.3.0' in fine.found
    installed(**versions, pillow='13.0.0', transformers='4.49.0')
    (clash,) = libraries.check_gradio()
    assert clash.status is Status.WARNING and 'uninstall one of the two' in clash.fix
    assert 'gradio 6.31.0 wants pillow<13.0,>=8.0, there is 13.0.0' in clash.found
    assert 'transformers 4.49.0 wants huggingface-hub<1.0,>=0.26.0, there is 2.4.0' in clash.found
    installed(gradio=None)
    assert 'not installed' in only(libraries.check_gradio(), 'gradio').found
