# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Garments: offset shells of the body, cut along anatomical lines, in the rest pose."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from sapiens_synth.body import Surface, arm_share, body_field, make_surface, smoothstep
from sapiens_synth.meshes import both_sides, clip
from sapiens_synth.sdf import Ellipsoid, Field, RoundCone, blend, surface_nets
from sapiens_synth.skeleton import ARM, BONE_ID, SHOULDER, WRIST, fold


@dataclass(frozen=True)
class Garment:
    """How a garment is cut.

    Attributes:
        layer: ``top``, ``bottom``, ``sock``, ``shoe`` or ``apparel``.
        offset: Distance from the skin, metres.
        hem: Lower edge, height in metres.
        upper: Upper edge (waist), or the height of the neckline at the sides.
        sleeve: Length along the arm from the shoulder, metres.
        neck: Depth of the neckline in front, metres.
        flare: Extra offset at the hem.
    """

    layer: str
    offset: float
    hem: float = 0.0
    upper: float = 9.0
    sleeve: float = 0.0
    neck: float = 0.03
    flare: float = 0.0


GARMENTS: dict[str, Garment] = {
    'tshirt': Garment('top', 0.013, hem=0.90, upper=1.450, sleeve=0.175, neck=0.035, flare=0.008),
    'loose_tshirt': Garment(
        'top', 0.020, hem=0.86, upper=1.455, sleeve=0.215, neck=0.030, flare=0.016
    ),
    'tank': Garment('top', 0.009, hem=0.92, upper=1.450, sleeve=-0.015, neck=0.090),
    'longsleeve': Garment(
        'top', 0.012, hem=0.89, upper=1.465, sleeve=0.525, neck=0.020, flare=0.006
    ),
    'sweater': Garment('top', 0.021, hem=0.87, upper=1.480, sleeve=0.520, neck=0.010, flare=0.006),
    'crop': Garment('top', 0.008, hem=1.17, upper=1.430, sleeve=-0.020, neck=0.085),
    'trousers': Garment('bottom', 0.010, hem=0.075, upper=1.02, flare=0.022),
    'jeans': Garment('bottom', 0.007, hem=0.100, upper=1.00, flare=0.006),
    'shorts': Garment('bottom', 0.013, hem=0.55, upper=1.00, flare=0.022),
    'briefs': Garment('bottom', 0.005, hem=0.800, upper=0.985),
    'skirt': Garment('bottom', 0.012, hem=0.52, upper=1.04),
    'socks': Garment('sock', 0.0035, hem=-1.0, upper=0.175),
    'ankle_socks': Garment('sock', 0.0035, hem=-1.0, upper=0.125),
    'knee_socks': Garment('sock', 0.0035, hem=-1.0, upper=0.40),
    'shoes': Garment('shoe', 0.0, hem=-1.0, upper=0.098),
    'boots': Garment('shoe', 0.0, hem=-1.0, upper=0.230),
    'belt': Garment('apparel', 0.019, hem=0.965, upper=1.000),
    'watch': Garment('apparel', 0.006, hem=0.0, upper=9.0, sleeve=0.0),
    'scarf': Garment('apparel', 0.022, hem=1.415, upper=1.505),
}
TOPS = tuple(n for n, g in GARMENTS.items() if g.layer == 'top')
SOCKS = tuple(n for n, g in GARMENTS.items() if g.layer == 'sock')
SHOES = tuple(n for n, g in GARMENTS.items() if g.layer == 'shoe')


def _foot_shell(extra: float) -> Field:
    """A foot without toes, as socks and shoes see it."""
    return blend(
        [
            Ellipsoid((0.114, 0.034, -0.052), (0.033 + extra, 0.038 + extra, 0.038 + extra), 0.03),
            RoundCone(
                (0.115, 0.070, -0.015), (0.130, 0.034, 0.080), 0.035 + extra, 0.026 + extra, 0.03
            ),
            RoundCone(
                (0.120, 0.027, 0.080), (0.166, 0.023, 0.068), 0.026 + extra, 0.021 + extra, 0.03
            ),
            RoundCone(
                (0.124, 0.023, 0.110), (0.126, 0.018, 0.162), 0.023 + extra, 0.017 + extra, 0.02
            ),
            RoundCone(
                (0.146, 0.021, 0.100), (0.160, 0.016, 0.132), 0.022 + extra, 0.017 + extra, 0.02
            ),
            RoundCone(
                (0.113, 0.26, -0.022), (0.115, 0.075, -0.020), 0.042 + extra, 0.036 + extra, 0.03
            ),
        ]
    )


def region(garment: Garment, p: np.ndarray) -> np.ndarray:
    """Signed distance-like field (N,) of rest points covered (positive) by a garment; x is folded."""
    p = fold(p)
    y = p[:, 1]
    if garment.layer == 'top':
        arm = arm_share(p)
        line = garment.upper - garment.neck * np.exp(-((p[:, 0] / 0.075) ** 2)) * smoothstep(
            -0.05, 0.03, p[:, 2]
        )
        trunk = np.where(arm > 0.5, 1.0, y - garment.hem)
        if garment.sleeve <= 0:
            # Sleeveless: the armhole runs from the strap's edge down to under the arm.
            edge = np.interp(y, [1.19, 1.24, 1.30, 1.36, 1.42], [0.225, 0.168, 0.140, 0.127, 0.122])
            return np.minimum(np.minimum(y - garment.hem, line - y), edge - p[:, 0])
        along = (p - SHOULDER) @ ARM
        on_arm = (arm > 0.02) | (along > garment.sleeve)
        limb = np.where(
            on_arm & (p[:, 0] > 0.12) & ((arm > 0.02) | (y > 1.33)), garment.sleeve - along, 1.0
        )
        return np.minimum(np.minimum(trunk, line - y), limb)
    body = np.where(p[:, 0] > 0.32, -1.0, 1.0)
    if garment.layer == 'bottom' and garment.hem > 0.7:
        # Briefs: the leg opening rises to the hip.
        body = np.minimum(body, y - (garment.hem + 0.10 * smoothstep(0.02, 0.15, p[:, 0])))
        return np.minimum(body, garment.upper - y)
    return np.minimum(np.minimum(y - garment.hem, garment.upper - y), body)


def _field(name: str, garment: Garment) -> Field:
    body = body_field()
    if garment.layer in ('sock', 'shoe'):
        sole = 0.006 if garment.layer == 'shoe' else 0.0
        shell = _foot_shell(0.006 if garment.layer == 'shoe' else 0.001)

        def footwear(p: np.ndarray) -> np.ndarray:
            d = np.minimum(
                shell(p),
                np.where(p[:, 1] > 0.11, body(p) - garment.offset - 0.008 * (sole > 0), 9.0),
            )
            return np.maximum(d, -p[:, 1] - 0.012) if sole else np.maximum(d, -p[:, 1] - 0.004)

        return footwear
    if name == 'skirt':
        cone = blend(
            [
                RoundCone((0, 1.00, 0.0), (0, 0.90, 0.0), 0.150, 0.178, 0.02, (1, 1, 0.74)),
                RoundCone((0, 0.90, 0.0), (0, 0.40, 0.0), 0.178, 0.250, 0.02, (1, 1, 0.80)),
            ]
        )

        def skirt(p: np.ndarray) -> np.ndarray:
            angle = np.arctan2(p[:, 2], p[:, 0])
            pleat = 0.010 * np.sin(14 * angle) * smoothstep(0.95, 0.55, p[:, 1])
            return np.minimum(cone(p) - pleat, body(p) - garment.offset)

        return skirt
    middle = 0.5 * (garment.hem + min(garment.upper, 1.2))

    def shell_field(p: np.ndarray) -> np.ndarray:
        t = garment.offset + garment.flare * smoothstep(middle, garment.hem, p[:, 1])
        if garment.layer in ('top', 'bottom'):
            # Folds: a few slanted waves, stronger on loose cloth.
            wave = np.sin(p @ [55.0, 38, 20]) * np.sin(p @ [-18.0, 62, 40]) + 0.6 * np.sin(
                p @ [90.0, -25, 70]
            )
            t = t + 0.14 * (garment.offset + 0.3 * garment.flare) * wave
        return body(p) - t

    return shell_field


@lru_cache(maxsize=64)
def garment_surface(name: str, cell: float) -> Surface:
    """Mesh of a garment.

    Args:
        name: Key of :data:`GARMENTS`.
        cell: Sampling, metres.
    """
    garment = GARMENTS[name]
    field = _field(name, garment)
    boxes: dict[str, tuple[ArrayLike, ArrayLike]] = {
        'top': ((-3 * cell, max(garment.hem - 0.03, 0.6), -0.22), (0.62, 1.56, 0.24)),
        'bottom': (
            (-3 * cell, max(garment.hem - 0.03, -0.02), -0.26),
            (0.34, garment.upper + 0.03, 0.26),
        ),
        'sock': ((0.01, -0.03, -0.13), (0.24, garment.upper + 0.03, 0.23)),
        'shoe': ((0.01, -0.03, -0.13), (0.26, garment.upper + 0.03, 0.24)),
        'apparel': ((-3 * cell, garment.hem - 0.03, -0.24), (0.34, garment.upper + 0.03, 0.26)),
    }
    low, high = boxes[garment.layer]
    if name == 'watch':
        low, high = WRIST - 0.08, WRIST + 0.06
    v, f = surface_nets(field, low, high, cell, polish=1)
    if name == 'watch':
        along = (v - WRIST) @ ARM
        v, f = clip(v, f, 0.013 - np.abs(along + 0.028))
        return make_surface('apparel', v, f)
    if garment.layer in ('sock', 'shoe'):
        v, f = clip(v, f, garment.upper - v[:, 1])
        return make_surface(garment.layer, *both_sides(v, f))
    v, f = clip(v, f, v[:, 0])
    v, f = clip(v, f, region(garment, v))
    surface = make_surface(garment.layer, *both_sides(v, f, weld=True))
    if name == 'skirt':
        _hang_skirt(surface)
    return surface


def _hang_skirt(surface: Surface) -> None:
    """A skirt follows both legs, each side more its own."""
    v = surface.vertices
    leg = 0.75 * smoothstep(0.93, 0.70, v[:, 1])
    left = smoothstep(-0.10, 0.10, v[:, 0])
    bones = [BONE_ID['pelvis'], BONE_ID['l_thigh'], BONE_ID['r_thigh'], BONE_ID['pelvis']]
    surface.bones = np.tile(np.array(bones, np.uint8), (len(v), 1))
    weights = np.stack([1 - leg, leg * left, leg * (1 - left), 0 * leg], 1)
    surface.weights = weights.astype(np.float32)
