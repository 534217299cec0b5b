# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Low precision for the heavy modules of a model; everything after them stays in float32."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.logging import MMLogger
from torch import Tensor, nn

DTYPES = {
    'float32': torch.float32,
    'float16': torch.float16,
    'bfloat16': torch.bfloat16,
    'fp32': torch.float32,
    'fp16': torch.float16,
    'bf16': torch.bfloat16,
}
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
_CASTABLE = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


def parse_dtype(dtype: str | torch.dtype | None) -> torch.dtype:
    """The torch type of a name; None is float32.

    Raises:
        ValueError: Another type than float32, float16 or bfloat16.
    """
    found = DTYPES.get(str(dtype).removeprefix('torch.')) if dtype is not None else torch.float32
    if found is None:
        raise ValueError(f'dtype {dtype!r} is not one of {sorted(DTYPES)}')
    return found


def heavy_modules(model: nn.Module) -> list[nn.Module]:
    """Backbone, neck and upsampling layers of a model, in forward order."""
    found = []
    for path in _HEAVY:
        module: Any = model
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

    What overflows in float16 (it ends at 65504) raises a ValueError in the forward pass.

    Args:
        model: Changed in place, for inference only.
        dtype: float16 or bfloat16; float32 changes nothing.
        device: Where the model runs.
    """
    if dtype == torch.float32:
        return
    if dtype == torch.float16 and device.type == 'cpu':
        MMLogger.get_current_instance().warning(
            'float16 on a CPU without instructions for it is hundreds of times slower than bfloat16; '
            "use dtype='bfloat16' or 'float32'"
        )
    for module in heavy_modules(model):
        for layer in module.modules():
            if isinstance(layer, _CASTABLE):
                layer.to(dtype)
        contexts: list[torch.autocast] = []

        def enter(_module: nn.Module, _args: Any, contexts: list = contexts) -> None:
            contexts.append(torch.autocast(device.type, dtype))
            contexts[-1].__enter__()

        def leave(module: nn.Module, _args: Any, output: Any, contexts: list = contexts) -> Any:
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
    """Compile the heavy modules with ``torch.compile``, in place; names and classes stay."""
    for module in heavy_modules(model):
        if hasattr(module, 'compile'):
            module.compile()
        else:  # before torch 2.2
            module.forward = torch.compile(module.forward)
