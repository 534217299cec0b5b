# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Colour and part label of every kind of surface, evaluated per pixel on rest-pose coordinates.

Because labels and colours are functions of where on the rest model a ray lands, borders (lips, sleeves,
wrist) are as sharp as the image, whatever the mesh.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from sapiens_common.layouts.body_parts import BODY_PART_IDS as PART
from sapiens_synth import face_curves as fc
from sapiens_synth.body import smoothstep
from sapiens_synth.glasses import GLASSES
from sapiens_synth.hair import hairline
from sapiens_synth.skeleton import ARM, ELBOW, FINGERS, HEAD_ORIGIN, WRIST, finger_joints, fold
from sapiens_synth.spec import Cloth, PersonSpec

_CELLS = 96
_BLUR = 2.2


@lru_cache(maxsize=1)
def _noise_volume() -> np.ndarray:
    # White noise, blurred periodically so that it tiles; fixed seed: a texture, not a draw.
    white = np.random.default_rng(7).standard_normal((_CELLS, _CELLS, _CELLS)).astype(np.float32)
    f = np.fft.fftfreq(_CELLS)
    low = np.exp(-2 * (np.pi * _BLUR * f) ** 2)
    kernel = low[:, None, None] * low[None, :, None] * low[None, None, : _CELLS // 2 + 1]
    volume = np.fft.irfftn(np.fft.rfftn(white) * kernel, s=white.shape, axes=(0, 1, 2))
    return (volume / volume.std()).astype(np.float32)


def noise(points: np.ndarray, frequency: float) -> np.ndarray:
    """Smooth repeatable noise (N,) at points (N, 3), zero mean, unit variance.

    Args:
        points: Metres.
        frequency: Blobs per metre.
    """
    i = (np.floor(points * (frequency * 4 * _BLUR)).astype(np.int64)) % _CELLS
    return _noise_volume()[i[:, 0], i[:, 1], i[:, 2]]


def _sided(points: np.ndarray, left: int | np.ndarray, right: int | np.ndarray) -> np.ndarray:
    return np.where(points[:, 0] >= 0, left, right).astype(np.uint8)


def _skin_color(spec: PersonSpec, p: np.ndarray) -> np.ndarray:
    shade = 1 + 0.035 * noise(p, 60) + 0.03 * noise(p, 9)
    color = np.array(spec.skin) * shade[:, None]
    red = np.clip(0.05 * noise(p + 3.1, 14), -0.08, 0.12)
    color[:, 0] *= 1 + 0.5 * red
    color[:, 1:] *= (1 - red)[:, None]
    return color


def body_labels(rest: np.ndarray) -> np.ndarray:
    """Part labels uint8 (N,) of bare skin below the head; ``rest`` (N, 5): place, arm and leg shares."""
    p = rest[:, :3]
    folded = fold(p)
    past_elbow, past_wrist = (folded - ELBOW) @ ARM, (folded - WRIST) @ ARM
    out = np.full(len(p), PART['Torso'], np.uint8)
    y = p[:, 1]
    # The neck ends on a cone that dips in front.
    out[y > 1.432 - 0.25 * p[:, 2] + 0.35 * np.maximum(np.abs(p[:, 0]) - 0.05, 0)] = PART[
        'Face_Neck'
    ]
    arm = (rest[:, 3] > 0.5) | (folded[:, 0] > 0.3)
    leg = (rest[:, 4] > 0.5) & ~arm
    out = np.where(arm, _sided(p, PART['Left_Upper_Arm'], PART['Right_Upper_Arm']), out)
    out = np.where(
        arm & (past_elbow > 0), _sided(p, PART['Left_Lower_Arm'], PART['Right_Lower_Arm']), out
    )
    out = np.where(
        arm & (past_wrist > -0.002), _sided(p, PART['Left_Hand'], PART['Right_Hand']), out
    )
    out = np.where(leg, _sided(p, PART['Left_Upper_Leg'], PART['Right_Upper_Leg']), out)
    out = np.where(
        leg & (y < 0.495), _sided(p, PART['Left_Lower_Leg'], PART['Right_Lower_Leg']), out
    )
    foot = leg & (y < 0.085 + 0.25 * np.maximum(p[:, 2], 0))
    return np.where(foot, _sided(p, PART['Left_Foot'], PART['Right_Foot']), out).astype(np.uint8)


def _nails(p: np.ndarray) -> np.ndarray:
    """Mask of hand points on finger nails (the back of the last phalanx)."""
    q = fold(p)
    out = np.zeros(len(p), bool)
    for finger in FINGERS:
        joints, radii = finger_joints(finger)
        axis = (joints[3] - joints[2]) / np.linalg.norm(joints[3] - joints[2])
        back = np.array([ARM[1], -ARM[0], 0]) * -1.0
        if finger == 'thumb':
            back = back * 0.6 + np.array([0, 0, 0.8])
        back = back - (back @ axis) * axis
        back /= np.linalg.norm(back)
        d = q - joints[3]
        along, out_of = d @ axis, d @ back
        side = np.linalg.norm(d - along[:, None] * axis - out_of[:, None] * back, axis=1)
        r = radii[3]
        out |= (along > -1.7 * r) & (along < 0.05 * r) & (out_of > 0.35 * r) & (side < 0.72 * r)
    return out


def _skin_limbs(spec: PersonSpec, rest: np.ndarray, kind: str) -> tuple[np.ndarray, np.ndarray]:
    p = rest[:, :3]
    color = _skin_color(spec, p)
    label = body_labels(rest)
    if kind == 'hands':
        nail = _nails(p)
        color[nail] = color[nail] * 0.7 + np.array([0.32, 0.20, 0.18])
        q = fold(p)
        label = np.where((q - WRIST) @ ARM > -0.002, _sided(p, PART['Left_Hand'], PART['Right_Hand']),
                         _sided(p, PART['Left_Lower_Arm'], PART['Right_Lower_Arm'])).astype(np.uint8)  # fmt: skip
    return color, label


_T = np.linspace(0, 1, 33)


def _face(spec: PersonSpec, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    q = p - HEAD_ORIGIN
    xy, z = q[:, :2], q[:, 2]
    color = _skin_color(spec, p)
    label = np.full(len(p), PART['Face_Neck'], np.uint8)
    front = z > 0.03
    ids = np.flatnonzero(
        front & (np.abs(xy[:, 0]) < 0.066) & (xy[:, 1] > -0.115) & (xy[:, 1] < 0.04)
    )
    if len(ids):
        f, c = xy[ids], color[ids]
        ax = np.abs(f[:, 0])
        blush = np.exp(-(((ax - 0.040) / 0.018) ** 2) - ((f[:, 1] + 0.030) / 0.016) ** 2)
        tip = np.exp(-((ax / 0.010) ** 2) - ((f[:, 1] + 0.040) / 0.010) ** 2)
        warm = 0.16 * blush + 0.12 * tip
        c[:, 1:] *= (1 - warm)[:, None]
        # Eye region: a little darker under the brow and along the lower lid.
        socket = np.exp(-(((ax - 0.0315) / 0.017) ** 2) - ((f[:, 1] - 0.004) / 0.010) ** 2)
        c *= (1 - 0.14 * socket)[:, None]
        if spec.stubble:
            beard = smoothstep(-0.052, -0.066, f[:, 1] - 0.55 * np.maximum(ax - 0.03, 0))
            grain = 0.8 + 0.2 * noise(p[ids], 700)
            amount = 0.42 * spec.stubble * beard * np.clip(grain, 0, 1.3)
            c += amount[:, None] * (np.array(spec.hair_color) - c)
        up = fc.in_upper_lip(f) & (z[ids] > 0.055)
        low = fc.in_lower_lip(f) & (z[ids] > 0.055) & ~up
        lip = up | low
        tint = np.array(spec.lip_tint) * (1 + 0.06 * np.sin(f[lip, 0] * 2600)[:, None])
        c[lip] = tint
        # The line between closed lips.
        c *= (
            1
            - 0.55
            * np.exp(-(((f[:, 1] - fc.MOUTH_Y) / 0.0022) ** 2))
            * (ax < 0.0245)
            * (z[ids] > 0.055)
        )[:, None]
        label[ids[up]] = PART['Upper_Lip']
        label[ids[low]] = PART['Lower_Lip']
        brow = fc.in_brow(f)
        # Hairs slant outwards; the band thins towards its edges.
        slant = f[brow, 0] * np.sign(f[brow, 0]) * 1.0 - 0.9 * f[brow, 1]
        hairs = 0.5 + 0.5 * np.sin(1500 * slant + 2.5 * noise(p[ids[brow]], 160))
        cover = 0.72 + 0.20 * hairs
        c[brow] += cover[:, None] * (np.array(spec.hair_color) - c[brow])
        near = np.flatnonzero((ax > 0.013) & (ax < 0.050) & (np.abs(f[:, 1]) < 0.016))
        if len(near):
            lash = np.exp(-((fc.distance_to(fc.upper_lash(_T), f[near]) / 0.0011) ** 2))
            lash = np.maximum(
                lash, 0.45 * np.exp(-((fc.distance_to(fc.lower_lash(_T), f[near]) / 0.0008) ** 2))
            )
            fold = np.exp(-((fc.distance_to(fc.crease(_T), f[near]) / 0.0009) ** 2))
            c[near] *= (1 - 0.30 * fold)[:, None]
            c[near] += (0.85 * lash)[:, None] * (np.array(spec.hair_color) * 0.5 - c[near])
        nostril = np.exp(-(((ax - 0.0064) / 0.0034) ** 2) - ((f[:, 1] + 0.0490) / 0.0022) ** 2)
        c *= (1 - 0.80 * nostril * (z[ids] > 0.07))[:, None]
        color[ids] = c
    if spec.hair == 'buzz':
        cover = smoothstep(-0.004, 0.006, hairline(q)) * (q[:, 1] > -0.05)
        color += (0.6 * cover)[:, None] * (np.array(spec.hair_color) - color)
    return color, label


def _eyes(spec: PersonSpec, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    q = p - HEAD_ORIGIN
    side = np.where(q[:, 0] >= 0, 1.0, -1.0)
    d = q - fc.EYE_CENTER * np.stack([side, np.ones_like(side), np.ones_like(side)], 1)
    d /= np.linalg.norm(d, axis=1, keepdims=True)
    # Template eyes look straight ahead; the gaze turns the mesh itself, see person.py.
    angle = np.arccos(np.clip(d[:, 2], -1, 1))
    iris, pupil = fc.IRIS_ANGLE, fc.IRIS_ANGLE * spec.pupil_ratio
    clock = np.arctan2(d[:, 1], d[:, 0])
    white = np.array([0.78, 0.75, 0.72]) * (1 - 0.25 * smoothstep(0.5, 1.1, angle))[:, None]
    fiber = 1 + 0.22 * np.sin(31 * clock) * np.sin(17 * clock + 2)
    radial = 0.7 + 0.6 * smoothstep(pupil, iris, angle)
    rim = 1 - 0.65 * smoothstep(iris * 0.86, iris, angle)
    color = np.where(
        (angle < iris)[:, None], np.array(spec.iris) * (fiber * radial * rim)[:, None], white
    )
    color = np.where((angle < pupil)[:, None], 0.004, color)
    return color, np.full(len(p), PART['Face_Neck'], np.uint8)


def cloth_pattern(cloth: Cloth, p: np.ndarray) -> np.ndarray:
    """Albedo (N, 3) of a cloth at rest points (N, 3)."""
    a, b = np.array(cloth.color), np.array(cloth.second)
    s = cloth.scale
    u = np.arctan2(p[:, 0] - np.sign(p[:, 0]) * 0.1 * (p[:, 1] < 0.85), p[:, 2]) * 0.15
    v = p[:, 1]
    if cloth.pattern == 'stripes':
        t = (np.sin(2 * np.pi * s * u) > 0.2).astype(float)
    elif cloth.pattern == 'bands':
        t = (np.sin(2 * np.pi * s * v) > 0.0).astype(float)
    elif cloth.pattern == 'checks':
        t = 0.5 * (np.sin(2 * np.pi * s * v) > 0) + 0.5 * (np.sin(2 * np.pi * s * u) > 0)
    elif cloth.pattern == 'dots':
        t = ((np.sin(2 * np.pi * s * u) * np.sin(2 * np.pi * s * v)) > 0.55).astype(float)
    elif cloth.pattern == 'melange':
        t = np.clip(0.25 + 0.25 * noise(p, s * 3), 0, 1)
    elif cloth.pattern == 'blotches':
        t = (noise(p, 0.6 * s) > 0.3).astype(float)
    elif cloth.pattern == 'print':
        front = (p[:, 2] > 0) & (np.abs(p[:, 0]) < 0.11) & (np.abs(v - 1.22) < 0.13)
        t = (front & (noise(p, 2.5 * s) > -0.2)).astype(float)
    elif cloth.pattern == 'blocks':
        t = ((v * s * 0.25) % 1 > 0.5).astype(float)
    elif cloth.pattern == 'fade':
        t = np.clip(0.5 + 0.5 * np.sin(0.4 * s * v), 0, 1)
    else:
        t = np.zeros(len(p))
    color = a + t[:, None] * (b - a)
    weave = 1 + 0.05 * noise(p, 220) + 0.06 * noise(p, 16)
    if cloth.folds:
        # Long creases: blobs of noise drawn out along the body.
        crease = noise(p * np.array([1, 0.35, 1], np.float32), 14) + 0.6 * noise(p, 35)
        weave = weave * np.clip(1 + cloth.folds * crease, 0.2, 1.8)
    return color * weave[:, None]


def shade_part(
    spec: PersonSpec, kind: str, cloth: Cloth | None, rest: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """Look of one part of a person.

    Args:
        spec: The person.
        kind: Kind of surface.
        cloth: Look of the garment, for garments.
        rest: Interpolated coordinates of the hits (N, 5): place on the rest model, arm and leg shares.

    Returns:
        Albedo linear RGB (N, 3), labels uint8 (N,), strength of the highlight.
    """
    if kind in ('body', 'hands', 'feet'):
        return (*_skin_limbs(spec, rest, kind), 0.10)
    p = rest[:, :3]
    if kind == 'skin':
        return (*_face(spec, p), 0.14)
    if kind == 'eyes':
        return (*_eyes(spec, p), 0.9)
    if kind == 'ears':
        color = _skin_color(spec, p) * [1.0, 0.93, 0.92]
        return color, np.full(len(p), PART['Face_Neck'], np.uint8), 0.08
    flat = {
        'upper_teeth': ((0.80, 0.76, 0.66), 'Upper_Teeth', 0.5),
        'lower_teeth': ((0.74, 0.69, 0.58), 'Lower_Teeth', 0.5),
        'tongue': ((0.55, 0.17, 0.17), 'Tongue', 0.3),
        'mouth': ((0.10, 0.02, 0.02), 'Face_Neck', 0.0),
    }
    if kind in flat:
        tone, name, gloss = flat[kind]
        return np.tile(np.array(tone), (len(p), 1)), np.full(len(p), PART[name], np.uint8), gloss
    if kind == 'hair':
        q = p - HEAD_ORIGIN
        streak = noise(
            np.stack([np.arctan2(q[:, 0], -q[:, 2]) * 0.1, q[:, 1] * 0.06, q[:, 2] * 0.2], 1), 420
        )
        color = np.array(spec.hair_color) * (1.15 + 0.35 * streak + 0.1 * noise(p, 70))[:, None]
        return np.maximum(color, 0.003), np.full(len(p), PART['Hair'], np.uint8), 0.25
    if kind == 'glasses':
        color = np.tile(np.array(spec.glasses_color), (len(p), 1))
        return color, np.full(len(p), GLASSES, np.uint8), 0.6
    if kind == 'hat':
        color = np.array(spec.hat_color) * (1 + 0.06 * noise(p, 150))[:, None]
        return color, np.full(len(p), PART['Apparel'], np.uint8), 0.03
    if cloth is None:
        raise ValueError(f'surface kind {kind!r} needs a cloth')
    color = cloth_pattern(cloth, p)
    if kind == 'top':
        return color, np.full(len(p), PART['Upper_Clothing'], np.uint8), 0.03
    if kind == 'bottom':
        return color, np.full(len(p), PART['Lower_Clothing'], np.uint8), 0.03
    if kind == 'sock':
        return color, _sided(p, PART['Left_Sock'], PART['Right_Sock']), 0.02
    if kind == 'shoe':
        sole = p[:, 1] < 0.006
        color[sole] = (
            np.array([0.7, 0.7, 0.68]) if sum(cloth.color) < 1.2 else np.array([0.03, 0.03, 0.03])
        )
        lace = (
            (np.abs(p[:, 1] - 0.07) < 0.03)
            & (np.sin(p[:, 2] * 420) > 0.3)
            & (p[:, 2] > 0.01)
            & (np.abs(np.abs(p[:, 0]) - 0.12) < 0.014)
        )
        color[lace] = np.array(cloth.second)
        return color, _sided(p, PART['Left_Shoe'], PART['Right_Shoe']), 0.15
    return color, np.full(len(p), PART['Apparel'], np.uint8), 0.10
