# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Busy procedural backgrounds with the statistics of photographs, and the faults of cameras."""

from __future__ import annotations

import cv2
import numpy as np


def _pink(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Noise (H, W) with as much contrast at every scale, as photographs have; unit variance."""
    out = np.zeros((height, width), np.float32)
    cells = 3
    while cells < max(height, width):
        shape = (
            max(2, cells * height // max(height, width)),
            max(2, cells * width // max(height, width)),
        )
        layer = rng.standard_normal(shape, np.float32)
        out += cv2.resize(layer, (width, height), interpolation=cv2.INTER_CUBIC)
        cells *= 3
    return out / max(float(out.std()), 1e-6)


def _palette(rng: np.random.Generator, count: int) -> np.ndarray:
    """Colours (count, 3) in sRGB around the tone of a scene, a few of them strong."""
    tone = rng.uniform(0.15, 0.8)
    value = np.clip(tone + rng.normal(0, rng.uniform(0.08, 0.3), count), 0.02, 0.98)
    chroma = np.abs(rng.normal(0, rng.choice([0.04, 0.12, 0.3]), count))
    hue = rng.uniform(0, 2 * np.pi) + rng.normal(0, rng.choice([0.4, 2.5]), count)
    wheel = np.cos(hue[:, None] + np.array([0, 2 * np.pi / 3, 4 * np.pi / 3]))
    return np.clip(value[:, None] * (1 + chroma[:, None] * wheel), 0, 1).astype(np.float32)


def leaves(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Overlapping shapes of all sizes with textures of their own ("dead leaves").

    Args:
        rng: Source of randomness.
        height: Height of the picture in pixels.
        width: Width of the picture in pixels.

    Returns:
        sRGB float32 (H, W, 3) in 0..1.

    Reference: Lee, Mumford and Huang, "Occlusion Models for Natural Images", IJCV 2001.
    """
    count = int(rng.integers(6, 160))
    side = max(height, width)
    ids = np.zeros((height, width), np.uint8)
    sizes = np.sort(side * np.minimum(0.02 / rng.uniform(0.01, 1, count) ** 0.8, 0.9))[::-1]
    round_share = rng.random()
    upright = rng.random() < 0.6
    for i, size in enumerate(sizes, 1):
        x, y = rng.uniform(-0.1, 1.1, 2) * (width, height)
        stretch = np.exp(rng.normal(0, 0.7))
        extent = (max(1.0, size * stretch), max(1.0, size / stretch))
        angle = float(rng.normal(0, 6) if upright else rng.uniform(0, 180))
        if rng.random() < round_share:
            cv2.ellipse(ids, ((x, y), extent, angle), i, -1)
        else:
            corners = cv2.boxPoints(((x, y), extent, angle))
            if rng.random() < 0.4:
                corners = corners + rng.normal(0, 0.2 * size, (4, 2))
            cv2.fillPoly(ids, [corners.astype(np.int32)], i)
    colors = _palette(rng, count + 1)
    amount = np.abs(rng.normal(0, 0.09, count + 1)).astype(np.float32)
    texture = _pink(rng, height, width)
    image = colors[ids] * (1 + (amount[ids] * texture)[..., None])
    light = 1 + 0.12 * cv2.resize(
        rng.standard_normal((3, 3), np.float32), (width, height), interpolation=cv2.INTER_CUBIC
    )
    image *= light[..., None]
    blur = rng.random()
    if blur < 0.75:
        sigma = 0.6 if blur < 0.35 else side * float(rng.uniform(0.003, 0.02))
        image = cv2.GaussianBlur(image, (0, 0), sigma)
    return np.clip(image, 0, 1)


def take_photo(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """What lenses, sensors and files do to a picture: blur, exposure, colour cast, noise, JPEG.

    Args:
        rng: Source of randomness.
        image: BGR uint8 (H, W, 3).

    Returns:
        BGR uint8 (H, W, 3).
    """
    h, w = image.shape[:2]
    values = image.astype(np.float32) / 255
    if rng.random() < 0.25:  # enlarged from fewer pixels
        factor = float(rng.uniform(0.3, 0.8))
        small = cv2.resize(
            values, (round(w * factor), round(h * factor)), interpolation=cv2.INTER_AREA
        )
        values = cv2.resize(small, (w, h), interpolation=cv2.INTER_LINEAR)
    blur = rng.random()
    if blur < 0.25:
        values = cv2.GaussianBlur(values, (0, 0), float(rng.uniform(0.4, 1.6)))
    elif blur < 0.32:
        length = int(rng.integers(3, 10))
        kernel = np.zeros((length, length), np.float32)
        end = rng.integers(0, length, 2)
        cv2.line(
            kernel,
            (int(end[0]), int(end[1])),
            (length - 1 - int(end[0]), length - 1 - int(end[1])),
            1,
        )
        values = cv2.filter2D(values, -1, kernel / kernel.sum())
    gain = np.exp(rng.normal(0, 0.22) + rng.normal(0, 0.05, 3)).astype(np.float32)
    values = np.clip(values * gain, 0, 1) ** np.float32(np.exp(rng.normal(0, 0.18)))
    grey = values.mean(2, keepdims=True)
    values = grey + np.float32(rng.uniform(0.0 if rng.random() < 0.06 else 0.5, 1.4)) * (
        values - grey
    )
    contrast = np.float32(rng.uniform(0.65, 1.3))
    values = 0.45 + contrast * (values - 0.45) + np.float32(rng.normal(0, 0.04))
    if rng.random() < 0.6:
        values = values + rng.standard_normal(values.shape, np.float32) * np.float32(
            rng.uniform(0.004, 0.05)
        )
    out = np.clip(values * 255 + 0.5, 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        quality = int(rng.integers(25, 90))
        _, data = cv2.imencode('.jpg', out, [cv2.IMWRITE_JPEG_QUALITY, quality])
        out = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return out
