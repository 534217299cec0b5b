# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Training a small part of a pretrained encoder, and storing that part alone.

The encoder that training starts from is the *base*. A tuned encoder's state dict holds what was trained and
the base's fingerprint; when it is loaded, the rest comes from the base that ``init_cfg`` names, and another
base is refused.

References:
    Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", ICLR 2022.
    Ben Zaken et al., "BitFit: Simple Parameter-efficient Fine-tuning", ACL 2022.
"""

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sapiens_common.checkpoint import find_pretrained, load_pretrained

FINGERPRINT = 'base_sha256'
"""Name of the buffer with the base's fingerprint, 32 bytes; zeros before a base is loaded."""


class LoRALinear(nn.Linear):
    """A linear layer whose change has a low rank: ``W + alpha / rank * B A`` in place of ``W``.

    The base's weight and bias keep their names and are frozen. B starts at zero, so that training begins at
    the base (Hu et al., section 4.1).

    Args:
        layer: The layer of the base; its parameters are taken over.
        rank: Rows of A (rank, in) and columns of B (out, rank).
        alpha: Numerator of the factor of the change.
    """

    def __init__(self, layer: nn.Linear, rank: int, alpha: float) -> None:
        super().__init__(layer.in_features, layer.out_features, device='meta')
        self.weight, self.bias = layer.weight, layer.bias
        self.scale = alpha / rank
        self.lora_A = nn.Parameter(layer.weight.new_empty(rank, layer.in_features))
        self.lora_B = nn.Parameter(layer.weight.new_zeros(layer.out_features, rank))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))  # as nn.Linear starts

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., in) to (..., out)."""
        return super().forward(x) + self.scale * F.linear(F.linear(x, self.lora_A), self.lora_B)

    @torch.no_grad()
    def merge(self) -> nn.Linear:
        """A plain layer that computes the same."""
        plain = nn.Linear(self.in_features, self.out_features, device='meta')
        plain.weight = nn.Parameter(self.weight + self.scale * self.lora_B @ self.lora_A)
        plain.bias = self.bias
        return plain


def tune_lora(
    encoder: Any,
    rank: int = 8,
    alpha: float = 16,
    targets: Sequence[str] = ('attn', 'ffn'),
    blocks: Sequence[int] | None = None,
) -> None:
    """Give the linear layers of blocks a trainable change of low rank.

    Args:
        encoder: A :class:`~sapiens_pretrain.models.base.PlainViT`, changed in place.
        rank: Rank of each change.
        alpha: The change is multiplied by ``alpha / rank``.
        targets: Parts of a block whose linear layers change: ``attn``, ``ffn``, or layers such as
            ``attn.qkv`` (Sapiens) and ``attn.wq`` (Sapiens2).
        blocks: Numbers of the blocks from 0, negative ones from the end; None is all.

    Raises:
        ValueError: A rank below 1, or a block or target that the encoder does not have.
    """
    if rank < 1:
        raise ValueError(f'tuning.rank must be at least 1, got {rank}')
    encoder.requires_grad_(False)
    every = getattr(encoder, encoder.BLOCKS)
    for index in range(len(every)) if blocks is None else blocks:
        if not -len(every) <= index < len(every):
            raise ValueError(f'tuning.blocks: there is no block {index} of {len(every)}')
        for target in targets:
            found = [
                name
                for name, layer in every[index].named_modules()
                if type(layer) is nn.Linear and f'{name}.'.startswith(f'{target}.')
            ]
            if not found:
                names = [n for n, m in every[index].named_modules() if isinstance(m, nn.Linear)]
                raise ValueError(
                    f"tuning.targets: no linear layer {target!r}; expected 'attn', 'ffn' or of {names}"
                )
            for name in found:
                _replace(every[index], name, partial(LoRALinear, rank=rank, alpha=alpha))


def tune_bitfit(encoder: Any) -> None:
    """Train the biases alone."""
    for name, parameter in encoder.named_parameters():
        parameter.requires_grad_(name.endswith('.bias'))


def tune_last_blocks(encoder: Any, blocks: int = 2) -> None:
    """Train the last blocks and the final norm.

    Raises:
        ValueError: The encoder has fewer blocks.
    """
    if not 0 < blocks <= encoder.num_layers:
        raise ValueError(f'tuning.blocks must be 1 to {encoder.num_layers}, got {blocks}')
    encoder.frozen_stages = encoder.num_layers - blocks


def tune_frozen(encoder: Any) -> None:
    """Train nothing of the encoder, only what follows it."""
    encoder.frozen_stages = encoder.num_layers


METHODS = {
    'lora': tune_lora,
    'bitfit': tune_bitfit,
    'last_blocks': tune_last_blocks,
    'frozen': tune_frozen,
}


def tune(encoder: Any, settings: Mapping[str, Any]) -> None:
    """Freeze an encoder but for what a method trains.

    Args:
        encoder: A :class:`~sapiens_pretrain.models.base.PlainViT`, changed in place.
        settings: ``method``, one of :data:`METHODS`, and its arguments.

    Raises:
        ValueError: Unknown method; ``frozen_stages`` beside it; as the methods.
    """
    options = dict(settings)
    method = options.pop('method', None)
    if method not in METHODS:
        raise ValueError(f'tuning.method {method!r} is not one of {list(METHODS)}')
    if encoder.frozen_stages >= 0:
        raise ValueError('tuning and frozen_stages both say what is trained; leave one out')
    METHODS[method](encoder, **options)


def base_names(encoder: nn.Module) -> Iterator[str]:
    """Names of the parameters that stay as they are in the base."""
    trained = getattr(encoder, 'trained', ())
    return (name for name, _ in encoder.named_parameters() if name not in trained)


def drop_base(encoder: nn.Module, state_dict: dict[str, Any], prefix: str, _: Any) -> None:
    """Hook of ``state_dict()``: leave out what the base holds."""
    own = getattr(encoder, FINGERPRINT, None)
    if own is not None:
        for name in base_names(encoder):
            state_dict.pop(prefix + name, None)
        # A copy: sharded checkpoints are read into the tensors of a state dict, and this one is to be compared.
        state_dict[prefix + FINGERPRINT] = own.clone()


def complete(encoder: Any, state_dict: dict[str, Any], prefix: str, *_: Any) -> None:
    """Hook before a state dict is loaded: a base is remembered, a tuned part checked and completed.

    Raises:
        ValueError: The state dict is of another base, or the base is not known.
    """
    own: Tensor | None = getattr(encoder, FINGERPRINT, None)
    if own is None or not any(name.startswith(prefix) for name in state_dict):
        return
    given = state_dict.get(prefix + FINGERPRINT)
    if given is None:  # a plain encoder, as published
        names = (name for name in state_dict if name.startswith(prefix))
        given = fingerprint({name.removeprefix(prefix): state_dict[name] for name in names})
        state_dict[prefix + FINGERPRINT] = given
        start = encoder.trained - _plain_names(encoder)
    else:
        if not own.any() and not load_pretrained(encoder, encoder.init_cfg):
            raise ValueError(
                'this checkpoint holds a part of an encoder, and the rest cannot be found: set '
                "model.backbone.init_cfg=dict(type='Pretrained', checkpoint=...) to the file or "
                f'published name that training started from (fingerprint {_hex(given)}), or merge both '
                "into one file first, as mmpose's init_model takes init_cfg away: "
                'tools/convert/checkpoint.py merge'
            )
        own = getattr(encoder, FINGERPRINT)
        start = set(base_names(encoder))
    if own.any() and not torch.equal(own.cpu(), given.cpu()):
        named = (find_pretrained(encoder.init_cfg) or {}).get('checkpoint', 'the one loaded before')
        raise ValueError(
            f'the base of this checkpoint has the fingerprint {_hex(given)}, but {named} has {_hex(own)}: '
            'set model.backbone.init_cfg.checkpoint to the file or published name that training '
            'started from'
        )
    parameters = dict(encoder.named_parameters())
    for name in start:  # what the file does not hold stays as it is
        state_dict.setdefault(prefix + name, parameters[name].detach())


def refuse_part(encoder: nn.Module, state_dict: dict[str, Any], prefix: str, *_: Any) -> None:
    """Hook before a plain encoder is loaded; upstream's readers would leave it at random.

    Raises:
        ValueError: The state dict holds the tuned part of an encoder.
    """
    if prefix + FINGERPRINT in state_dict and getattr(encoder, FINGERPRINT, None) is None:
        raise ValueError(
            'this checkpoint holds the tuned part of an encoder, and the config has none: take the config it '
            'was trained with (model.backbone.tuning), or merge it with its base into one file: '
            'tools/convert/checkpoint.py merge'
        )


def _plain_names(encoder: nn.Module) -> set[str]:
    """Names of the parameters that an encoder has without tuning."""
    return {n for n, _ in encoder.named_parameters() if not n.endswith(('.lora_A', '.lora_B'))}


def fingerprint(tensors: Mapping[str, Tensor]) -> Tensor:
    """SHA-256 of names, types, shapes and values, as 32 bytes; the same in every file format."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name].detach().cpu().contiguous()
        digest.update(f'{name} {value.dtype} {tuple(value.shape)}\n'.encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy())
    return torch.frombuffer(bytearray(digest.digest()), dtype=torch.uint8)


def _hex(digest: Tensor) -> str:
    return bytes(digest.tolist()).hex()[:12]


def merge(model: nn.Module) -> None:
    """Work what was trained into the encoders of a model: their state dicts are whole and plain again."""
    for encoder in list(_tuned(model)):
        for name, layer in list(encoder.named_modules()):
            if isinstance(layer, LoRALinear):
                _replace(encoder, name, LoRALinear.merge)
        delattr(encoder, FINGERPRINT)
        encoder.tuning = None


def share_base(*models: nn.Module) -> int:
    """Let models that were tuned from one base hold its tensors once, for inference.

    Each keeps what it was trained with, so any of :data:`METHODS` can be mixed. Move models to their device
    and precision before.

    Args:
        *models: Models with tuned encoders; others stay as they are.

    Returns:
        Bytes that were freed.
    """
    freed = 0
    held: dict[tuple, nn.Parameter] = {}
    for encoder in (encoder for model in models for encoder in _tuned(model)):
        base = bytes(getattr(encoder, FINGERPRINT).tolist())
        for name in list(base_names(encoder)):
            owner = encoder.get_submodule(name.rpartition('.')[0])
            leaf = name.rpartition('.')[2]
            own = getattr(owner, leaf)
            first = held.setdefault((base, name, own.shape, own.dtype, own.device), own)
            if first is not own:
                setattr(owner, leaf, first)
                freed += own.numel() * own.element_size()
    return freed


def _tuned(model: nn.Module) -> Iterable[Any]:
    return (m for m in model.modules() if getattr(m, FINGERPRINT, None) is not None)


def _replace(root: nn.Module, name: str, make: Callable[[Any], nn.Module]) -> None:
    """Put ``make(layer)`` in the place of a layer."""
    parent, _, child = name.rpartition('.')
    setattr(root.get_submodule(parent), child, make(root.get_submodule(name)))
