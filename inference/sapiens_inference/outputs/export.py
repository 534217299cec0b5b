# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Models and checkpoints in other formats, each compared with the original before it is handed out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sapiens_common.checkpoint import encoder_state_dict, read_checkpoint
from sapiens_common.checkpoint_names import from_published, to_published
from sapiens_common.compat import require_torch
from sapiens_common.files.tensors import save_tensors
from sapiens_common.models.precision import CASTABLE
from sapiens_common.sharded_files import read_whole_checkpoint
from sapiens_inference.outputs.deployment import EXTRA_FILE, KEY
from sapiens_inference.outputs.writers import UNFINISHED

TOLERANCES = {'float32': 1e-4, 'float16': 1e-2, 'int8': 0.25}
"""Largest allowed difference from eager by precision, as a share of the largest output.

That of int8 finds broken files only: what the rounding costs is measured on labelled images.
"""

FORMATS = {'torchscript': '.pt2', 'onnx': '.onnx', 'torch_export': '.pt2'}
# torch 2.6 writes ONNX of the first generation in float32, no more.
_LEAST_TORCH = {'onnx': '2.7', 'torch_export': '2.4'}
_LARGEST_BATCH = 1 << 16  # torch 2.6 refuses a batch without a bound


def head_of(model: Any) -> tuple[str, nn.Module]:
    """Name and module of the head of a task model of mmpose (``head``) or mmseg (``decode_head``).

    Raises:
        ValueError: It has neither.
    """
    for name in ('decode_head', 'head'):
        if hasattr(model, name):
            return name, getattr(model, name)
    raise ValueError(f'{type(model).__name__} has neither head nor decode_head')


class RawModel(nn.Module):
    """Backbone and head of a task model: normalised RGB images (B, 3, H, W) to raw maps (B, C, h, w).

    Points are divided by the scale that a pointmap model gives beside them: metres.

    Parameters keep the names of the task model, so a traced file is a checkpoint too. Preprocessing and
    post-processing are not part of it.

    Args:
        model: A built task model of mmpose or mmseg.

    Raises:
        ValueError: The model has another structure.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        if getattr(model, 'with_neck', False):
            raise ValueError(
                f'{type(model).__name__} has a neck; only backbone and head are exported'
            )
        self.backbone = model.backbone
        self.head_name, head = head_of(model)
        self.add_module(self.head_name, head)

    def forward(self, images: Tensor) -> Tensor:
        """Raw maps of a batch."""
        output = getattr(self, self.head_name)(self.backbone(images))
        if isinstance(output, tuple):
            points, scale = output
            return points / scale[:, :, None, None]
        return output


class HalfModel(nn.Module):
    """A raw model whose matrix products and convolutions are float16; its inputs, outputs and norms are float32.

    Args:
        raw: Its linear and convolution layers are changed in place.
    """

    def __init__(self, raw: RawModel) -> None:
        super().__init__()
        self.raw = raw
        for layer in raw.modules():
            if isinstance(layer, CASTABLE):
                layer.half()

    def forward(self, images: Tensor) -> Tensor:
        """Raw maps of a batch; the exporter turns autocast into casts in the file."""
        with torch.autocast('cpu', torch.float16):
            return self.raw(images).float()


def export_model(
    model: nn.Module,
    path: str | Path,
    kind: str,
    size: tuple[int, int],
    opset: int = 18,
    deployment: dict[str, Any] | None = None,
    precision: str = 'float32',
) -> float:
    """Write a model in another format and compare it with eager, for batches of one, two and three.

    Args:
        model: A built task model with its weights, loaded in float32; it is moved to the CPU.
        path: File to write.
        kind: ``torchscript``, ``onnx`` or ``torch_export``.
        size: (height, width) of the input. It is fixed in the file, the batch is not.
        opset: ONNX operator set.
        deployment: What the file says of its input and output, see
            :func:`~sapiens_inference.outputs.deployment.describe_deployment`.
        precision: A key of :data:`TOLERANCES`. ``float16`` (for GPUs; it halves the file) and ``int8`` (for CPUs:
            weights of matrix products, inputs rounded at run time by their own range) are for ONNX.

    Returns:
        The largest difference, as a share of the largest output.

    Raises:
        ValueError: Weights in 16 bits, unknown format or precision, one that needs a newer torch, or the difference exceeds that of
            :data:`TOLERANCES`; what was under the name before stays then.
    """
    if kind not in FORMATS:
        raise ValueError(f'format {kind!r} is not one of {", ".join(FORMATS)}')
    require_torch(_LEAST_TORCH.get(kind, '0'), f'format {kind}', '; torchscript works')
    if precision not in TOLERANCES or (precision != 'float32' and kind != 'onnx'):
        raise ValueError(
            f'{kind} is not written in {precision}; ONNX is, in {", ".join(TOLERANCES)}'
        )
    if any(value.dtype in (torch.bfloat16, torch.float16) for value in model.parameters()):
        raise ValueError(
            "the model computes in 16 bits; load it with dtype='float32', and choose the file's own precision"
        )
    path = Path(path)
    extra = {EXTRA_FILE: json.dumps(deployment or {})}
    raw = RawModel(model).float().cpu().eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(0)
    inputs = [torch.randn(batch, 3, *size, generator=generator) for batch in (2, 1, 3)]
    with _compared(path) as aside, torch.inference_mode(False), torch.no_grad():
        expected = [raw(images) for images in inputs]
        if kind == 'torchscript':
            traced = torch.jit.trace(raw, inputs[0], check_trace=False)
            torch.jit.save(traced, str(aside), _extra_files=extra)
        elif kind == 'torch_export':
            torch.export.save(_program(raw, inputs[0]), aside, extra_files=extra)
        else:
            write_onnx(raw, aside, inputs[0], opset, extra[EXTRA_FILE], precision)
        run = _loaders()[kind](aside)
        differences = [
            (maps - run(images)).abs().max() / maps.abs().max()
            for images, maps in zip(inputs, expected, strict=True)
        ]
        difference = float(torch.stack(differences).max())  # NaN if any is
        if not difference <= TOLERANCES[precision]:
            raise ValueError(
                f'{path}: the exported model differs from eager by {difference:.1e} of the largest '
                f'output (allowed {TOLERANCES[precision]:.0e}); it was not written'
            )
    return difference


@contextmanager
def _compared(path: Path) -> Iterator[Path]:
    """Where to write and compare a file first: what was under its name stays until the new one is as it should be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=UNFINISHED, dir=path.parent) as folder:
        aside = Path(folder) / path.name
        yield aside
        # The weights of a large ONNX file lie beside it.
        for written in sorted(Path(folder).iterdir(), reverse=True):
            written.replace(path.with_name(written.name))


def _need(package: str) -> None:
    """Check for a library that only ONNX needs.

    Raises:
        ValueError: It is not installed.
    """
    if find_spec(package) is None:
        raise ValueError(f'ONNX needs {package}: pip install onnx onnxscript onnxruntime')


def _program(module: nn.Module, images: Tensor) -> Any:
    """The traced program, for any batch."""
    batch = torch.export.Dim('batch', max=_LARGEST_BATCH)
    return torch.export.export(module, (images,), dynamic_shapes=({0: batch},))


def write_onnx(
    raw: RawModel,
    path: Path,
    images: Tensor,
    opset: int = 18,
    deployment: str = '{}',
    precision: str = 'float32',
) -> None:
    """Write an ONNX file that nobody has compared yet; :func:`export_model` does both.

    Args:
        raw: The model; ``float16`` changes its layers.
        path: File to write.
        images: (B, 3, H, W) with a batch B of at least 2: a batch of one would be taken for a constant.
        opset: ONNX operator set.
        deployment: JSON text for the file's metadata.
        precision: As :func:`export_model`.
    """
    for package in ('onnxscript', 'onnxruntime'):
        _need(package)
    program = _program(HalfModel(raw) if precision == 'float16' else raw, images)
    exported = torch.onnx.export(
        program,
        input_names=['images'],
        output_names=['maps'],
        dynamo=True,
        opset_version=opset,
        verbose=False,
    )
    assert exported is not None  # it is with dynamo=True
    # Beyond 2 GB a protobuf cannot hold the weights; they go to a file beside it.
    exported.model.metadata_props[KEY] = deployment
    size = sum(value.numel() * value.element_size() for value in program.state_dict.values())
    exported.save(str(path), external_data=size > 1.8e9)
    if precision == 'int8':
        _to_int8(path)


def _to_int8(path: Path) -> None:
    """Let the matrix products of an ONNX file compute in int8, with one scale per output channel.

    Convolutions stay: their integer kernels are slower than float32's, and the decoders lose most by rounding.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        path,
        path,
        op_types_to_quantize=['MatMul', 'Gemm'],
        per_channel=True,
        weight_type=QuantType.QInt8,
        use_external_data_format=path.with_name(f'{path.name}.data').exists(),
    )


def _loaders() -> dict[str, Callable[[Path], Callable[[Tensor], Tensor]]]:
    """For each format a function that reads a file and returns what runs it."""

    def onnx(path: Path) -> Callable[[Tensor], Tensor]:
        import onnxruntime

        session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
        return lambda images: torch.from_numpy(session.run(None, {'images': images.numpy()})[0])

    return {
        'torchscript': lambda path: torch.jit.load(str(path)),
        'torch_export': lambda path: torch.export.load(path).module(),
        'onnx': onnx,
    }


def convert_checkpoint(
    source: str | Path,
    target: str | Path,
    encoder_only: bool = False,
    layout: str | None = None,
    half: bool = False,
) -> int:
    """Rewrite a checkpoint as ``.safetensors`` or ``.pth``, and compare every tensor bit by bit.

    Values stay, and names too unless a layout is asked for; optimizer state is left out. Metadata that JSON
    can hold is kept.

    Args:
        source: Any checkpoint that :func:`sapiens_common.checkpoint.read_checkpoint` reads, or one of a
            sharded run.
        target: File to write; its suffix is the format.
        encoder_only: Keep only the encoder, without the prefix ``backbone.`` (a ``_clean`` file).
        layout: ``published`` writes the names that Meta's file of such a model has, ``ours`` those of this
            suite; they differ for Sapiens2. None keeps what is there.
        half: Write float16 for handing on: half the size, and no metadata of the training. Models are loaded
            in float32 all the same.

    Returns:
        Number of tensors.

    Raises:
        ValueError: Unknown suffix; the source cannot be read, has no encoder, or no published layout; the
            target differs.
    """
    target = Path(target)
    if target.suffix not in ('.safetensors', '.pth'):
        raise ValueError(f'{target}: expected a .safetensors or .pth file to write')
    if target.resolve() == Path(source).resolve():
        raise ValueError(f'{target}: is the file to read; name another one to write')
    content = read_whole_checkpoint(source)
    tensors, meta = content.state_dict, content.meta
    if encoder_only:
        tensors, _ = encoder_state_dict(content, str(source))
    if layout == 'published':
        tensors = to_published(tensors, lambda value: tuple(value.shape))
    elif layout == 'ours':
        tensors = from_published(tensors)
    if half:
        tensors = {n: v.half() if v.is_floating_point() else v for n, v in tensors.items()}
        meta = {}
    tensors = {name: value.contiguous() for name, value in tensors.items()}
    with _compared(target) as aside:
        if target.suffix == '.pth':
            torch.save({'meta': meta, 'state_dict': tensors}, aside)
        else:
            # A file must not hold one tensor twice; tied weights become copies.
            unique = {name: value.clone() for name, value in tensors.items()}
            save_tensors(aside, unique, {'format': 'pt', 'meta': json.dumps(_plain(meta))})
        written = read_checkpoint(aside).state_dict
        if set(written) != set(tensors):
            raise ValueError(f'{target}: the names written differ from those of {source}')
        for name, value in tensors.items():
            # Bit by bit: NaN equals itself.
            same = written[name].dtype == value.dtype and written[name].shape == value.shape
            if not same or not torch.equal(_bits(written[name]), _bits(value)):
                raise ValueError(f'{target}: {name} differs from {source}; it was not written')
    return len(tensors)


def _bits(tensor: Tensor) -> Tensor:
    return tensor.contiguous().reshape(-1).view(torch.uint8)


def _plain(value: Any) -> Any:
    """What JSON can hold of a value; the rest as text."""
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
