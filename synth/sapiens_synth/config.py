# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Settings of a rendered data set, and named presets."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

DETAIL_LEVELS = ('auto', 'coarse', 'low', 'high')
FRAMINGS = ('face', 'upper', 'full')


@dataclass(frozen=True)
class RenderConfig:
    """What to render.

    Attributes:
        size: Image (height, width), pixels.
        people: Fewest and most people per image.
        framings: Share of each framing (face, upper body, full body).
        focal_mm: Range of the focal length for a full-frame sensor, millimetres.
        yaw: Largest turn of the camera away from the person's front, degrees; 180 walks all around.
        pitch: Range of the camera's elevation, degrees.
        roll: Standard deviation of the camera's roll, degrees.
        variety: Share of people in lively poses, 0..1; the others stand.
        backgrounds: Folder of background images, or None for procedural ones.
        scans: Scan files; empty renders procedural people.
        detail: ``coarse``, ``low``, ``high`` or ``auto`` (by the size of the person in the image).
        image_format: ``jpg`` or ``png``.
        every_framing: Use the three framings in turn for each subject, instead of drawing one.
        activity: Share of people who do something (sit, crouch, run, bend, lie, ...), 0..1; the others
            pose as ``variety`` says.
        above: Share of cameras that look down from up to 75 degrees, or up from 30.
        closeups: Share of images framed around one joint of a person, so that limbs are cut off.
        objects: Share of images with seats, things in hands, and things in front and behind.
        glasses: Share of people with eyeglasses, a third of them dark; with any, label images with the 29 parts of
            Sapiens2 are written, too.
        wild: Share of images with busy backgrounds, unusual light and clothes, and a camera's faults.
    """

    size: tuple[int, int] = (1024, 768)
    people: tuple[int, int] = (1, 1)
    framings: tuple[float, float, float] = (0.2, 0.35, 0.45)
    focal_mm: tuple[float, float] = (25.0, 50.0)
    yaw: float = 75.0
    pitch: tuple[float, float] = (-12.0, 22.0)
    roll: float = 4.0
    variety: float = 0.9
    backgrounds: str | None = None
    scans: tuple[str, ...] = ()
    detail: str = 'auto'
    image_format: str = 'jpg'
    every_framing: bool = False
    activity: float = 0.0
    above: float = 0.0
    closeups: float = 0.0
    objects: float = 0.0
    wild: float = 0.0
    glasses: float = 0.0

    def __post_init__(self) -> None:
        height, width = self.size
        if min(height, width) < 16:
            raise ValueError(f'size (height, width) must be at least 16 x 16, got {self.size}')
        low, high = self.people
        if not 1 <= low <= high <= 8:
            raise ValueError(
                f'people must be two numbers with 1 <= min <= max <= 8, got {self.people}'
            )
        if len(self.framings) != 3 or min(self.framings) < 0 or sum(self.framings) <= 0:
            raise ValueError(
                f'framings must be three shares for {FRAMINGS}, not all zero, got {self.framings}'
            )
        if self.detail not in DETAIL_LEVELS:
            raise ValueError(
                f'detail must be one of {", ".join(DETAIL_LEVELS)}, got {self.detail!r}'
            )
        if self.image_format not in ('jpg', 'png'):
            raise ValueError(f"image_format must be 'jpg' or 'png', got {self.image_format!r}")
        for name in ('variety', 'activity', 'above', 'closeups', 'objects', 'wild', 'glasses'):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f'{name} must be a share in 0..1, got {getattr(self, name)}')
        if not 0 < self.focal_mm[0] <= self.focal_mm[1]:
            raise ValueError(f'focal_mm must be 0 < min <= max, got {self.focal_mm}')

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}


# THuman2.0 protocol of the paper: each scan is seen in three framings, from all around.
_SCANS = RenderConfig(
    framings=(1.0, 1.0, 1.0),
    yaw=180.0,
    pitch=(-10.0, 15.0),
    every_framing=True,
    image_format='png',
)

PRESETS: dict[str, RenderConfig] = {
    'default': RenderConfig(),
    # Small, single, mostly frontal people in moderate poses: learnable in minutes by a tiny model.
    'quickstart': RenderConfig(
        size=(256, 192),
        framings=(0.0, 0.7, 0.3),
        yaw=25.0,
        pitch=(-5.0, 10.0),
        roll=2.0,
        variety=0.5,
        detail='low',
    ),
    'thuman2': _SCANS,
    '2k2k': _SCANS,
    # People as photographs show them; what models that meet photographs are trained on.
    'photos': RenderConfig(
        size=(256, 256),
        people=(1, 3),
        framings=(0.05, 0.25, 0.70),
        focal_mm=(24.0, 85.0),
        yaw=180.0,
        pitch=(-12.0, 25.0),
        roll=7.0,
        activity=0.75,
        above=0.12,
        closeups=0.15,
        objects=0.6,
        wild=0.9,
    ),
    'crowd': RenderConfig(people=(2, 4), framings=(0.0, 0.4, 0.6)),
}


def get_preset(name: str, **changes: Any) -> RenderConfig:
    """A preset with some settings changed.

    Raises:
        ValueError: If there is no such preset.
    """
    if name not in PRESETS:
        raise ValueError(f'unknown preset {name!r}; choose one of {", ".join(PRESETS)}')
    return replace(PRESETS[name], **changes)
