# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Is an encoder any good? Body parts of patches, by a linear layer on frozen or trained features."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sapiens_common.files.images import image_size, list_images, read_ids
from sapiens_common.layouts.body_parts import BODY_PART_NAMES, IGNORE_INDEX
from sapiens_pretrain.data.transforms import decode_crop
from sapiens_pretrain.features import MEAN, STD
from sapiens_pretrain.models.vit import SapiensViT

NUM_CLASSES = len(BODY_PART_NAMES)


@dataclass
class PatchData:
    """Images and the part that most pixels of each patch show.

    Attributes:
        images: Normalised RGB (N, 3, H, W).
        labels: (N, h, w) class ids.
    """

    images: Tensor
    labels: Tensor

    def split(self, share: float) -> tuple['PatchData', 'PatchData']:
        """The first part for training, the last ``share`` for validation."""
        cut = len(self.images) - round(share * len(self.images))
        return (
            PatchData(self.images[:cut], self.labels[:cut]),
            PatchData(self.images[cut:], self.labels[cut:]),
        )


@dataclass
class Score:
    """Result on the validation images: of people's patches, and over the classes that occur."""

    accuracy: float
    mean_iou: float


def load_patches(root: str | Path, size: tuple[int, int], patch: int = 16) -> PatchData:
    """Read ``images/`` and ``segmentations/*.png`` of a folder.

    Args:
        root: The folder.
        size: (height, width) in pixels that images are resized to.
        patch: Patch side in pixels.

    Raises:
        ValueError: An image has no segmentation of its size; ``size`` is not whole patches.
    """
    if size[0] % patch or size[1] % patch:
        raise ValueError(f'size {size} is not a multiple of the patch side {patch}')
    images, labels = [], []
    for path in list_images(Path(root) / 'images'):
        target = Path(root) / 'segmentations' / f'{path.stem}.png'
        ids = read_ids(target)
        if ids.shape != image_size(path):
            raise ValueError(
                f'{target} is {ids.shape}, its image {path} is {image_size(path)} (height, width)'
            )
        ids = cv2.resize(ids, size[::-1], interpolation=cv2.INTER_NEAREST)
        blocks = ids.reshape(size[0] // patch, patch, size[1] // patch, patch)
        counts = [(blocks == number).sum(axis=(1, 3)) for number in range(NUM_CLASSES)]
        counts.append((blocks >= NUM_CLASSES).sum(axis=(1, 3)))
        label = np.argmax(counts, axis=0)
        labels.append(np.where(label == NUM_CLASSES, IGNORE_INDEX, label))
        images.append(decode_crop(path.read_bytes(), None, size, str(path))[..., ::-1])
    pixels = (np.stack(images).astype(np.float32) - MEAN) / STD
    return PatchData(
        torch.from_numpy(pixels.transpose(0, 3, 1, 2).astype(np.float32)),
        torch.from_numpy(np.stack(labels)).long(),
    )


def confusion(predicted: Tensor, labels: Tensor) -> Tensor:
    """Counts (true class, predicted class) of all patches but the ignored."""
    valid = labels != IGNORE_INDEX
    flat = labels[valid] * NUM_CLASSES + predicted[valid]
    return torch.bincount(flat, minlength=NUM_CLASSES**2).view(NUM_CLASSES, NUM_CLASSES)


def score(matrix: Tensor) -> Score:
    """Accuracy on patches of people (background aside), and mean IoU over the classes that occur."""
    people = matrix[1:]
    occurs = matrix.sum(dim=1) > 0
    union = matrix.sum(dim=0) + matrix.sum(dim=1) - matrix.diag()
    iou = matrix.diag()[occurs] / union[occurs]
    accuracy = people.diagonal(offset=1).sum() / people.sum().clamp(min=1)
    return Score(float(accuracy), float(iou.mean()))


def probe(
    encoder: SapiensViT,
    train: PatchData,
    val: PatchData,
    steps: int = 300,
    batch_size: int = 16,
    lr: float = 1e-2,
    encoder_lr: float | None = None,
    seed: int = 0,
) -> Score:
    """Train a linear layer on patch features, and the encoder with it if it is given a learning rate.

    Args:
        encoder: Gives one map (B, D, h, w); trained in place when ``encoder_lr`` is given.
        train: Training images.
        val: Validation images.
        steps: Optimizer steps.
        batch_size: Images per step.
        lr: Peak learning rate of the linear layer (AdamW, cosine).
        encoder_lr: Peak learning rate of the encoder; None freezes it.
        seed: Of the linear layer and the order.
    """
    generator = torch.Generator().manual_seed(seed)
    head = nn.Sequential(
        nn.BatchNorm2d(encoder.embed_dims, affine=False),
        nn.Conv2d(encoder.embed_dims, NUM_CLASSES, 1),
    )
    nn.init.zeros_(head[1].weight)
    nn.init.zeros_(head[1].bias)
    train_encoder = encoder_lr is not None
    encoder.train(train_encoder)
    groups: list[dict[str, Any]] = [{'params': list(head.parameters()), 'lr': lr}]
    if train_encoder:
        groups.append({'params': list(encoder.parameters()), 'lr': encoder_lr})
    parameters = [parameter for group in groups for parameter in group['params']]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    source = train.images if train_encoder else extract(encoder, train.images, batch_size)
    for _ in range(steps):
        chosen = torch.randint(len(source), (batch_size,), generator=generator)
        x = encoder(source[chosen])[0] if train_encoder else source[chosen]
        loss = F.cross_entropy(head(x), train.labels[chosen], ignore_index=IGNORE_INDEX)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
    encoder.eval()
    head.eval()
    with torch.no_grad():
        predicted = head(extract(encoder, val.images, batch_size)).argmax(dim=1)
    return score(confusion(predicted, val.labels))


@torch.no_grad()
def extract(encoder: SapiensViT, images: Tensor, batch_size: int) -> Tensor:
    """Feature maps (N, D, h, w) of images, without gradients."""
    parts: Sequence[Tensor] = [encoder(batch)[0] for batch in images.split(batch_size)]
    return torch.cat(list(parts))
