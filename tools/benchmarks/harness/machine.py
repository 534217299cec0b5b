# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What the figures were measured on. Nothing that names a computer or a user."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from sapiens_common.models.precision import cpu_flags

# Flags of /proc/cpuinfo that decide how fast bfloat16 and int8 are.
_LOW_PRECISION = ('avx_vnni', 'avx512_vnni', 'avx512_bf16', 'amx_bf16', 'amx_int8', 'bf16', 'i8mm')
_PACKAGES = (
    'torch', 'torchvision', 'numpy', 'opencv-python', 'opencv-python-headless', 'pillow', 'mmengine',
    'mmcv', 'mmdet', 'mmpose', 'mmsegmentation', 'mmpretrain', 'albumentations', 'embreex', 'onnxruntime',
)  # fmt: skip


def describe_machine(device: torch.device) -> dict[str, Any]:
    """Processor, cores, memory, and the GPU where one is used."""
    facts: dict[str, Any] = {
        'processor': _cpu_name(),
        'cores': len(os.sched_getaffinity(0))
        if hasattr(os, 'sched_getaffinity')
        else os.cpu_count(),
        'instructions': torch.backends.cpu.get_cpu_capability(),
        'for_low_precision': [name for name in _LOW_PRECISION if name in cpu_flags()],
        'threads': torch.get_num_threads(),
        'memory_gib': _memory_gib(),
        'system': f'{platform.system()} {platform.machine()}',
        'device': device.type,
    }
    if device.type == 'cuda':
        properties = torch.cuda.get_device_properties(device)
        facts['gpu'] = properties.name
        facts['gpu_memory_gib'] = round(properties.total_memory / 2**30, 1)
    return facts


def describe_versions() -> dict[str, str]:
    """Versions of Python and of the libraries that do the work."""
    found = {'python': platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def load_average() -> float | None:
    """Processes that wanted a core over the last minute; None where the system does not say."""
    return round(os.getloadavg()[0], 2) if hasattr(os, 'getloadavg') else None


def _cpu_name() -> str:
    """Model name of the processor."""
    path = Path('/proc/cpuinfo')
    if path.exists():
        for line in path.read_text().splitlines():
            if line.startswith('model name'):
                return line.split(':', 1)[1].strip()
    return platform.processor() or 'unknown'


def _memory_gib() -> float | None:
    """Main memory."""
    names = getattr(os, 'sysconf_names', {})
    if 'SC_PHYS_PAGES' not in names:
        return None
    return round(os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30, 1)
