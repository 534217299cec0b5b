# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""A task model whose raw maps come from an exported file, to evaluate the file as the model is evaluated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .export import head_of


class ExportedMaps(nn.Module):
    """Stands in for the encoder of a task model: gives the raw maps of an ONNX file.

    Args:
        path: The file, as :func:`~sapiens_inference.outputs.export.export_model` writes it.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__()
        import onnxruntime

        self.session = onnxruntime.InferenceSession(
            str(path), providers=onnxruntime.get_available_providers()
        )

    def hold(self, features: Any) -> None:
        """Do nothing: the tasks of a multitask model share features, but an exported file holds its own encoder."""

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Raw maps (B, C, h, w) of normalised images (B, 3, H, W), as the only feature map."""
        maps = self.session.run(None, {'images': images.cpu().numpy()})[0]
        return (torch.from_numpy(maps).to(images.device),)


def use_exported(model: Any, files: list[str]) -> None:
    """Let a built model take its raw maps from ONNX files; decoding and metrics stay its own.

    Args:
        model: A task model, or a multitask model; changed in place.
        files: One file; of a multitask model ``task=file`` for each task that is to be replaced.

    Raises:
        ValueError: The files do not fit the model's tasks.
    """
    parts = dict(getattr(model, 'tasks', {'': model}))
    for entry in files:
        name, _, path = entry.rpartition('=')
        if name not in parts:
            raise ValueError(
                f'{entry}: expected task=FILE with a task of {", ".join(parts)}'
                if any(parts)
                else f'{entry}: expected FILE, the model has one task'
            )
        part = parts[name]
        part.backbone = ExportedMaps(path)
        head_of(part)[1].forward = _last


def _last(features: tuple[Tensor, ...]) -> Tensor:
    return features[-1]
