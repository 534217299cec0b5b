# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Light and backgrounds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from sapiens_common.files.images import read_image
from sapiens_synth.backdrops import leaves

IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.webp', '.bmp')


@dataclass(frozen=True)
class Light:
    """A sun with shadows, a dome and a fill light.

    Attributes:
        sun: Unit vector towards the sun (3,).
        sun_color: Linear RGB (3,).
        sky: Light from above (3,).
        ground: Light from below (3,).
        fill: Unit vector towards the fill light (3,).
        fill_color: Linear RGB (3,); casts no shadow.
    """

    sun: np.ndarray
    sun_color: np.ndarray
    sky: np.ndarray
    ground: np.ndarray
    fill: np.ndarray
    fill_color: np.ndarray


def _unit(v: np.ndarray) -> np.ndarray:
    return v / np.linalg.norm(v)


def sample_light(rng: np.random.Generator, towards_camera: np.ndarray) -> Light:
    """Random light, mostly from the camera's half space and from above.

    Args:
        rng: Source of randomness.
        towards_camera: Unit vector from the subject to the camera (3,).
    """
    side = _unit(np.cross([0, 1, 0], towards_camera))
    sun = _unit(
        rng.uniform(0.05, 1.0) * towards_camera
        + rng.normal(0, 0.75) * side
        + np.array([0, rng.uniform(0.25, 1.3), 0])
    )
    warm = rng.normal(0, 0.08)
    tint = np.array([1 + warm, 1.0, 1 - warm])
    strength = rng.uniform(0.35, 1.15)
    ambient = rng.uniform(0.30, 0.60)
    cool = np.array([0.95, 1.0, 1.08]) if rng.random() < 0.6 else np.array([1.0, 1.0, 1.0])
    return Light(
        sun,
        strength * tint,
        ambient * cool,
        ambient * rng.uniform(0.35, 0.8) * np.array([1.05, 1.0, 0.92]),
        _unit(towards_camera + rng.normal(0, 0.5) * side + np.array([0, 0.3, 0])),
        rng.uniform(0.05, 0.35) * np.ones(3),
    )


def sample_wild_light(rng: np.random.Generator, towards_camera: np.ndarray) -> Light:
    """Light as photographs meet it: hard sun, the sun behind the subject, overcast, dark, coloured lamps.

    Args:
        rng: Source of randomness.
        towards_camera: Unit vector from the subject to the camera (3,).
    """
    usual = sample_light(rng, towards_camera)
    side = _unit(np.cross([0, 1, 0], towards_camera))
    direction = (
        rng.uniform(-1, 1) * towards_camera
        + rng.normal(0, 1) * side
        + np.array([0, rng.uniform(-0.2, 1.5), 0])
    )
    # From hard sun (most of the light from one side) to overcast (none).
    hard = rng.beta(0.8, 0.8)
    level = np.exp(rng.normal(0, 0.35))
    casts = np.exp(rng.normal(0, rng.choice([0.04, 0.12, 0.35], p=[0.5, 0.35, 0.15]), (3, 3)))
    return Light(
        _unit(direction),
        level * hard * rng.uniform(0.8, 1.8) * casts[0],
        level * (1.05 - 0.8 * hard) * rng.uniform(0.5, 0.9) * casts[1],
        level * (1.05 - 0.8 * hard) * rng.uniform(0.2, 0.8) * casts[1],
        usual.fill,
        level * rng.uniform(0.0, 0.4) * casts[2],
    )


def illuminate(
    albedo: np.ndarray,
    gloss: np.ndarray,
    normal: np.ndarray,
    view: np.ndarray,
    lit: np.ndarray,
    light: Light,
) -> np.ndarray:
    """Outgoing light of surface points.

    Args:
        albedo: Linear RGB (N, 3).
        gloss: Strength of the highlight (N,).
        normal: Unit normals towards the viewer (N, 3).
        view: Unit vectors towards the viewer (N, 3).
        lit: 1 where the sun reaches the point, 0 in shadow (N,).
        light: The light.

    Returns:
        Linear RGB (N, 3).
    """
    sun = np.maximum(normal @ light.sun, 0)
    # Skin and cloth scatter: the terminator is soft.
    wrap = np.maximum((normal @ light.sun + 0.15) / 1.15, 0)
    direct = (0.7 * sun + 0.3 * wrap) * lit
    up = 0.5 + 0.5 * normal[:, 1:2]
    dome = light.ground + up * (light.sky - light.ground)
    fill = np.maximum(normal @ light.fill, 0)
    energy = direct[:, None] * light.sun_color + dome + fill[:, None] * light.fill_color
    half = light.sun + view
    half /= np.maximum(np.linalg.norm(half, axis=1, keepdims=True), 1e-9)
    shine = np.maximum((normal * half).sum(1), 0) ** 38 * gloss * lit
    return albedo * energy + 0.55 * shine[:, None] * light.sun_color


def to_srgb(linear: np.ndarray) -> np.ndarray:
    """Linear light -> sRGB in 0..1, highlights rolled off."""
    x = np.maximum(linear, 0)
    return srgb(np.where(x > 0.75, 0.75 + 0.25 * (1 - np.exp(-(x - 0.75) / 0.25)), x))


def srgb(x: np.ndarray) -> np.ndarray:
    """Linear light in 0..1 -> sRGB in 0..1."""
    return np.where(
        x <= 0.0031308, 12.92 * x, 1.055 * np.power(np.maximum(x, 1e-8), 1 / 2.4) - 0.055
    )


@lru_cache(maxsize=8)
def background_files(folder: str) -> tuple[str, ...]:
    """Sorted images of a folder and its subfolders.

    Raises:
        ValueError: If the folder is missing or holds no image.
    """
    root = Path(folder)
    if not root.is_dir():
        raise ValueError(f'background folder {folder} does not exist')
    files = sorted(str(p) for p in root.rglob('*') if p.suffix.lower() in IMAGE_SUFFIXES)
    if not files:
        raise ValueError(
            f'background folder {folder} holds no image; expected one of {", ".join(IMAGE_SUFFIXES)}'
        )
    return tuple(files)


def _photo(rng: np.random.Generator, folder: str, height: int, width: int) -> np.ndarray:
    files = background_files(folder)
    path = files[int(rng.integers(len(files)))]
    image = read_image(path)
    h, w = image.shape[:2]
    zoom = max(height / h, width / w) * rng.uniform(1.0, 1.4)
    image = cv2.resize(
        image, (max(width, round(w * zoom)), max(height, round(h * zoom))),
        interpolation=cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR,
    )  # fmt: skip
    y = int(rng.integers(image.shape[0] - height + 1))
    x = int(rng.integers(image.shape[1] - width + 1))
    return image[y : y + height, x : x + width, ::-1].astype(np.float32) / 255


def _clutter(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Procedural surroundings in sRGB (H, W, 3): a room or field of tone, blotches and blurred shapes."""
    tone = rng.uniform(0.12, 0.85)
    base = np.clip(tone + rng.normal(0, 0.055, 3), 0.03, 0.95)
    other = np.clip(base + rng.normal(0, 0.12) + rng.normal(0, 0.035, 3), 0.03, 0.95)
    y = np.linspace(0, 1, height)[:, None, None]
    x = np.linspace(0, 1, width)[None, :, None]
    angle = rng.uniform(0, 2 * np.pi)
    t = np.clip(0.5 + (x - 0.5) * np.cos(angle) + (y - 0.5) * np.sin(angle), 0, 1)
    image = (base + t * (other - base)).astype(np.float32)
    if rng.random() < 0.55:
        horizon = rng.uniform(0.45, 0.85)
        floor = np.clip(base * rng.uniform(0.4, 1.3) + rng.normal(0, 0.05, 3), 0.03, 0.95)
        edge = np.clip((y - horizon) * height / 2 + 0.5, 0, 1)
        fade = 0.8 + 0.35 * np.clip((y - horizon) / (1 - horizon), 0, 1)
        image = image + edge * (floor * fade - image)
    side = min(height, width)
    for _ in range(int(rng.integers(0, 14))):
        layer = image.copy()
        color = tuple(
            float(v) for v in np.clip(tone + rng.normal(0, 0.22) + rng.normal(0, 0.09, 3), 0, 1)
        )
        cx, cy = int(rng.uniform(0, width)), int(rng.uniform(0, height))
        w, h = (int(side * rng.uniform(0.04, 0.5)) for _ in range(2))
        if rng.random() < 0.65:
            box = cv2.boxPoints(((cx, cy), (w, h), float(rng.normal(0, 12))))
            cv2.fillConvexPoly(layer, box.astype(np.int32), color, cv2.LINE_AA)
        else:
            cv2.ellipse(
                layer, (cx, cy), (w // 2 + 1, h // 2 + 1), 0, 0, 360, color, -1, cv2.LINE_AA
            )
        a = float(rng.uniform(0.4, 1))
        image = (1 - a) * image + a * layer
    # Out of focus, more or less; OpenCV draws float images without smooth edges, so never quite sharp.
    image = cv2.GaussianBlur(image, (0, 0), max(1.0, side * float(rng.uniform(0.003, 0.03))))
    # Uneven light and, on some, a texture of fine grain.
    layers = (
        [(4, 0.05)]
        if rng.random() < 0.6
        else [(4, 0.04), (int(rng.integers(10, 60)), rng.uniform(0.01, 0.03))]
    )
    for cells, amount in layers:
        low = rng.normal(0, amount, (cells, cells)).astype(np.float32)
        image = image + cv2.resize(low, (width, height), interpolation=cv2.INTER_CUBIC)[..., None]
    return np.clip(image, 0, 1)


def make_background(
    rng: np.random.Generator, folder: str | None, height: int, width: int, busy: bool = False
) -> np.ndarray:
    """Background in sRGB float32 (H, W, 3), RGB order, 0..1: from a folder, or procedural, calm or busy."""
    if folder:
        return _photo(rng, folder, height, width)
    if busy:
        return leaves(rng, height, width)
    # Backgrounds are out of focus: half the resolution is enough, and four times as fast.
    scale = min(1.0, 400 / max(height, width))
    small = _clutter(rng, max(16, round(height * scale)), max(16, round(width * scale)))
    if small.shape[:2] == (height, width):
        return small
    return np.clip(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1)
