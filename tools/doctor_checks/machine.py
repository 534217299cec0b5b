# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Checks of the machine: image reading, GPUs, NCCL, shared memory, open files, disk."""

import os
import shutil
from collections.abc import Iterator

from doctor_checks.report import Finding, Status

OK, WARNING, ERROR, SKIPPED = Status.OK, Status.WARNING, Status.ERROR, Status.SKIPPED

MIN_SHARED_GB = 1.0
"""Below this, loader workers die with a bus error at 1024 x 768 and a few prefetched batches."""
MIN_OPEN_FILES = 4096
MIN_FREE_DISK_GB = 10.0
_GB = 1024**3


def check_opencv() -> Iterator[Finding]:
    """Whether OpenCV loads and encodes; its GUI build needs system libraries that servers lack."""
    try:
        import cv2
        import numpy as np

        cv2.imencode('.jpg', np.zeros((8, 8, 3), np.uint8))
    except ImportError as error:
        fix = 'pip uninstall opencv-python; pip install opencv-python-headless'
        yield Finding('opencv', ERROR, str(error), fix)
    else:
        # Its test on images is the suite's own: what differs is how the crops are computed.
        if int(cv2.__version__.split('.')[0]) >= 5:
            fix = 'pip install "opencv-python<5" (or opencv-python-headless): see docs/parity.md'
            found = f"{cv2.__version__}: crops differ from the reference's by up to 5 grey levels"
            yield Finding('opencv', WARNING, found, fix)
        else:
            yield Finding('opencv', OK, cv2.__version__)


def check_gpu() -> Iterator[Finding]:
    """GPUs, their memory, bfloat16, and whether torch was built for their architecture."""
    import torch

    if torch.backends.mps.is_available():
        fix = "mmcv has no operators for it: keep the person detector on the CPU (device='cpu')"
        yield Finding('gpu', WARNING, 'Apple MPS', fix)
        return
    if not torch.cuda.is_available():
        built = torch.version.cuda
        found = f'none visible (torch built {f"for CUDA {built}" if built else "without CUDA"})'
        fix = 'all commands run on the CPU, slowly; with a GPU here: check nvidia-smi, '
        fix += 'CUDA_VISIBLE_DEVICES, and that torch is a CUDA build the driver supports'
        yield Finding('gpu', WARNING, found, fix)
        return
    built_for = torch.cuda.get_arch_list()
    for index in range(torch.cuda.device_count()):
        device = torch.cuda.get_device_properties(index)
        memory = device.total_memory / _GB
        name = f'gpu {index}'
        found = f'{device.name}, {memory:.0f} GB, compute {device.major}.{device.minor}'
        try:
            torch.ones(1, device=f'cuda:{index}').add_(1).item()
        except RuntimeError as error:
            fix = f'torch was built for {", ".join(built_for)}: install a build for this GPU'
            yield Finding(name, ERROR, f'{found}: {str(error).splitlines()[0]}', fix)
            continue
        if device.major < 8:
            fix = 'no bfloat16 in hardware: use --amp float16'
            yield Finding(name, WARNING, found, fix)
        else:
            yield Finding(name, OK, found)


def check_distributed() -> Iterator[Finding]:
    """The back end that the launchers use: NCCL with GPUs, gloo without."""
    import torch
    import torch.distributed as dist

    if not dist.is_available():
        yield Finding('distributed', ERROR, 'torch has no distributed', 'install an official torch')
    elif not torch.cuda.is_available():
        status = OK if dist.is_gloo_available() else ERROR
        yield Finding('distributed', status, f'gloo {"" if status is OK else "not "}available')
    elif dist.is_nccl_available():
        version = '.'.join(map(str, torch.cuda.nccl.version()))
        yield Finding('distributed', OK, f'NCCL {version}')
    else:
        fix = 'install an official CUDA build of torch; one GPU works without'
        yield Finding('distributed', WARNING, 'NCCL not available', fix)


def check_shared_memory() -> Iterator[Finding]:
    """Loader workers hand batches over through /dev/shm, 64 MB in a container by default."""
    if not os.path.isdir('/dev/shm'):
        yield Finding('shared memory', SKIPPED, 'no /dev/shm on this system')
        return
    usage = shutil.disk_usage('/dev/shm')
    found = f'{usage.free / _GB:.1f} of {usage.total / _GB:.1f} GB free'
    if usage.free < MIN_SHARED_GB * _GB:
        fix = 'a bus error in a loader worker comes from this: docker run --shm-size=8g (or --ipc=host)'
        fix += ', or train with --cfg-options train_dataloader.num_workers=0'
        yield Finding('shared memory', WARNING, found, fix)
    else:
        yield Finding('shared memory', OK, found)


def check_open_files() -> Iterator[Finding]:
    """The limit of open files, which many workers and tar shards reach."""
    try:
        import resource
    except ImportError:
        yield Finding('open files', SKIPPED, 'no limit to read on this system')
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    found = f'{soft} (at most {hard})'
    if soft != resource.RLIM_INFINITY and soft < MIN_OPEN_FILES:
        fix = f'"Too many open files" comes from this: ulimit -n {max(MIN_OPEN_FILES, min(hard, 65536))}'
        yield Finding('open files', WARNING, found, fix)
    else:
        yield Finding('open files', OK, found)


def check_disk() -> Iterator[Finding]:
    """Room for checkpoints where the doctor is run."""
    free = shutil.disk_usage(os.getcwd()).free / _GB
    if free < MIN_FREE_DISK_GB:
        fix = 'a checkpoint of 2b with optimizer takes about 25 GB, of tiny 0.1 GB: put work_dir elsewhere'
        yield Finding('disk', WARNING, f'{free:.1f} GB free here', fix)
    else:
        yield Finding('disk', OK, f'{free:.0f} GB free here')


MACHINE_CHECKS = (
    check_opencv,
    check_gpu,
    check_distributed,
    check_shared_memory,
    check_open_files,
    check_disk,
)
