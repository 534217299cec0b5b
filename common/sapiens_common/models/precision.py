# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Low precision for the heavy modules of a model; everything after them stays in float32."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import torch
from mmengine.logging import MMLogger
from torch import Tensor, nn

from sapiens_common.compat import require_torch

DTYPES = {
    'float32': torch.float32,
    'float16': torch.float16,
    'bfloat16': torch.bfloat16,
    'fp32': torch.float32,
    'fp16': torch.float16,
    'bf16': torch.bfloat16,
}
# Flags of /proc/cpuinfo.
_CPU_BFLOAT16 = frozenset({'avx512_bf16', 'amx_bf16', 'bf16'})
# Attribute names of the modules that do nearly all the work, in upstream's models and in ours.
_HEAVY = (
    'backbone',
    'neck',
    'head.deconv_layers',
    'head.conv_layers',
    'decode_head.deconv_layers',
    'decode_head.input_conv',
    'decode_head.upsample_blocks',
    'decode_head.conv_layers',
)
CASTABLE = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
"""Layers whose weights may be stored in a low precision."""


def parse_dtype(
    dtype: str | torch.dtype | None, device: torch.device, training: bool = False
) -> torch.dtype:
    """The torch type of a name; ``auto`` picks by the hardware, None is float32.

    ``auto`` is bfloat16 where the device has instructions for it, and float32 elsewhere; in training on
    a GPU without, float16 (the optimizer wrapper scales the loss). It says what it picked, and a type
    that the device is slow at is warned of.

    Args:
        dtype: ``auto``, ``float32``, ``float16``, ``bfloat16`` or a torch type.
        device: Where the model runs.
        training: Whether gradients are computed.

    Raises:
        ValueError: Another type, or float16 on a CPU that this torch has no autocast of.
    """
    logger = MMLogger.get_current_instance()
    if dtype == 'auto':
        fast = has_fast_bfloat16(device)
        low = torch.float16 if training and device.type == 'cuda' else torch.float32
        found = torch.bfloat16 if fast else low
        why = f'{_name_of(device)} has {"" if fast else "no "}instructions for bfloat16'
        logger.info(f'dtype auto: {_short(found)}, as {why}')
        return found
    named = DTYPES.get(str(dtype).removeprefix('torch.')) if dtype is not None else torch.float32
    if named is None:
        raise ValueError(f'dtype {dtype!r} is not one of {sorted([*DTYPES, "auto"])}')
    if named == torch.bfloat16 and not has_fast_bfloat16(device):
        logger.warning(
            f'bfloat16 is slow here: {_name_of(device)} has no instructions for it. A CPU is about three '
            "times faster in float32; dtype='auto' picks what fits"
        )
    elif named == torch.float16 and device.type == 'cpu':
        require_torch('2.3', 'float16 on cpu', "; use dtype='bfloat16' or 'float32'")
        logger.warning(
            'float16 on a CPU without instructions for it is hundreds of times slower than bfloat16; '
            "use dtype='bfloat16' or 'float32'"
        )
    return named


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether a device computes in bfloat16 rather than emulating it.

    NVIDIA GPUs do since compute capability 8.0, AMD's where torch says so, CPUs with AVX-512 BF16, AMX
    or Arm's BF16 extension. Of other systems than Linux, and other devices, nothing is known.
    """
    if device.type == 'cuda':
        if torch.version.hip:
            return torch.cuda.is_bf16_supported()
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return device.type == 'cpu' and not _CPU_BFLOAT16.isdisjoint(cpu_flags())


@cache
def cpu_flags() -> frozenset[str]:
    """Instruction sets of the CPU as Linux names them."""
    try:
        lines = Path('/proc/cpuinfo').read_text().splitlines()
    except OSError:
        return frozenset()
    named = (line.partition(':') for line in lines)
    # "flags" on x86, "Features" on Arm; all cores have the same.
    return next(
        (frozenset(text.split()) for key, _, text in named if key.strip() in ('flags', 'Features')),
        frozenset(),
    )


def _name_of(device: torch.device) -> str:
    return 'this CPU' if device.type == 'cpu' else f'device {device}'


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix('torch.')


def heavy_modules(model: nn.Module) -> list[nn.Module]:
    """Backbone, neck and upsampling layers of a model, and of its ``tasks``, in forward order."""
    found = []
    tasks: Any = getattr(model, 'tasks', {})
    for part in (model, *tasks.values()):
        for path in _HEAVY:
            module: Any = part
            for name in path.split('.'):
                module = getattr(module, name, None)
            if isinstance(module, nn.Module):
                found.append(module)
    return found


def lower_precision(model: nn.Module, dtype: torch.dtype, device: torch.device) -> None:
    """Let the heavy modules compute in a low precision and hand float32 on.

    Weights of linear and convolution layers are stored in that precision; norms, softmax and the like
    stay in float32 as autocast decides, and so does all post-processing: heatmap decoding and the
    resizing of dense maps lose visible accuracy in 16 bits.

    Args:
        model: Changed in place, for inference only.
        dtype: float16 or bfloat16; float32 changes nothing.
        device: Where the model runs.
    """
    if dtype == torch.float32:
        return
    for module in heavy_modules(model):
        for layer in module.modules():
            if isinstance(layer, CASTABLE):
                layer.to(dtype)
        autocast_forward(module, dtype, device)


def autocast_forward(module: nn.Module, dtype: torch.dtype, device: torch.device) -> None:
    """Let a module compute under autocast wherever it is called, and hand float32 on.

    What overflows in float16 (it ends at 65504) raises a ValueError in the forward pass.

    Args:
        module: Gets hooks.
        dtype: float16 or bfloat16.
        device: Where it runs.
    """
    contexts: list[torch.autocast] = []

    def enter(_module: nn.Module, _args: Any) -> None:
        contexts.append(torch.autocast(device.type, dtype))
        contexts[-1].__enter__()

    def leave(module: nn.Module, _args: Any, output: Any) -> Any:
        contexts.pop().__exit__(None, None, None)
        output = _to_float(output)
        if dtype == torch.float16 and not _is_finite(output):
            raise ValueError(
                f"float16 overflowed in {type(module).__name__}; use dtype='bfloat16' or 'float32'"
            )
        return output

    module.register_forward_pre_hook(enter)
    # Called after an error too, so that an out-of-memory retry does not run in a stale context.
    module.register_forward_hook(leave, always_call=True)


def _to_float(output: Any) -> Any:
    if isinstance(output, Tensor):
        return output.float() if output.is_floating_point() else output
    if isinstance(output, (tuple, list)):
        return type(output)(_to_float(entry) for entry in output)
    return output


def _is_finite(output: Any) -> bool:
    if isinstance(output, Tensor):
        return bool(torch.isfinite(output).all())
    return not isinstance(output, (tuple, list)) or all(_is_finite(entry) for entry in output)


def compile_modules(model: nn.Module) -> None:
    """Compile the heavy modules with ``torch.compile``, in place; names and classes stay.

    Their forward methods alone: the hooks of :func:`lower_precision` make a context at every call, for which
    ``Module.compile``, which takes hooks in, would compile anew each time.
    """
    for module in heavy_modules(model):
        module.forward = torch.compile(module.forward)
