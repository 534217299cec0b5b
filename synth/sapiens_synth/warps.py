# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Shape and expression: smooth displacements of the rest model, before it is posed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sapiens_synth import face_curves as fc
from sapiens_synth.body import smoothstep
from sapiens_synth.head import lid_height


@dataclass(frozen=True)
class BodyShape:
    """Departures from the template's trunk; 0 is the template, about +-1 the usual range.

    Attributes:
        belly: Roundness of the abdomen.
        hips: Width of the hips.
        waist: Width of the waist.
        chest: Width of the rib cage.
        bust: Fullness of the breast.
    """

    belly: float = 0.0
    hips: float = 0.0
    waist: float = 0.0
    chest: float = 0.0
    bust: float = 0.0


@dataclass(frozen=True)
class FaceShape:
    """Identity of a face; 0 is the template, about +-1 the usual range.

    Attributes:
        width: Width of the face.
        length: Length of the lower face.
        jaw: Width of the jaw.
        nose: Width of the nose.
        nose_out: Prominence of the nose.
        lips: Fullness of the lips.
        brow: Prominence of the brow.
        chin: Prominence of the chin.
        cheeks: Fullness of the cheeks.
    """

    width: float = 0.0
    length: float = 0.0
    jaw: float = 0.0
    nose: float = 0.0
    nose_out: float = 0.0
    lips: float = 0.0
    brow: float = 0.0
    chin: float = 0.0
    cheeks: float = 0.0


@dataclass(frozen=True)
class Expression:
    """State of a face.

    Attributes:
        open: Opening of the mouth, metres between the lips (0 = closed).
        smile: Raise of the corners, -1..1.
        blink: Closing of the lids, 0 open, 1 shut; (left, right).
        brow: Raise of the brows, -1..1.
        gaze: Turn of the eyes (radians to the person's left, radians up).
    """

    open: float = 0.0
    smile: float = 0.0
    blink: tuple[float, float] = (0.0, 0.0)
    brow: float = 0.0
    gaze: tuple[float, float] = (0.0, 0.0)


def _bump(x: np.ndarray, center: float, width: float) -> np.ndarray:
    return np.exp(-(((x - center) / width) ** 2))


def warp_body(points: np.ndarray, trunk: np.ndarray, shape: BodyShape) -> np.ndarray:
    """Apply a body shape to rest points (N, 3); ``trunk`` (N,) is 1 on the trunk, 0 on arms."""
    out = points.astype(np.float32).copy()
    x, y, z = points.T
    wide = (
        0.10 * shape.hips * _bump(y, 0.93, 0.13)
        + 0.10 * shape.waist * _bump(y, 1.08, 0.10)
        + 0.06 * shape.chest * _bump(y, 1.27, 0.13)
        + 0.10 * max(shape.belly, 0) * _bump(y, 1.04, 0.12)
    ) * trunk
    deep = (
        0.07 * shape.waist * _bump(y, 1.08, 0.10) + 0.05 * shape.chest * _bump(y, 1.27, 0.13)
    ) * trunk
    out[:, 0] += wide * x
    out[:, 2] += deep * z
    front = smoothstep(-0.01, 0.07, z) * trunk
    out[:, 2] += 0.075 * shape.belly * _bump(y, 1.035, 0.11) * _bump(x, 0, 0.14) * front
    breast = np.exp(-((np.abs(x) - 0.075) ** 2 + (y - 1.275) ** 2) / 0.050**2)
    out[:, 2] += 0.045 * shape.bust * breast * front
    return out


def _jaw_share(p: np.ndarray) -> np.ndarray:
    """How far head points (N, 3) move with the lower jaw, 0..1."""
    a = np.clip(1 - (np.abs(p[:, 0]) / fc.MOUTH_INNER_X) ** 2, 0, 1)
    a = a * smoothstep(0.045, 0.062, p[:, 2])
    t = fc.MOUTH_Y - p[:, 1]
    soft = smoothstep(-0.030, 0.030, t)
    hard = np.where(t > 0, 1.0, 0.0)
    front = smoothstep(-0.030, 0.030, p[:, 2])
    return ((1 - a) * soft + a * hard) * front


def _raise_of(expression: Expression, face: FaceShape, p: np.ndarray) -> np.ndarray:
    """Sum of all displacements (N, 3) of skin, in the head frame."""
    x, y, z = p.T
    ax, sx = np.abs(x), np.sign(x)
    d = np.zeros_like(p)
    front = smoothstep(0.0, 0.05, z)
    # Identity.
    d[:, 0] += 0.06 * face.width * x
    d[:, 1] += 0.10 * face.length * np.minimum(y + 0.02, 0) * smoothstep(-0.04, 0.02, z)
    d[:, 0] += 0.11 * face.jaw * x * _bump(y, -0.075, 0.035)
    nose = np.exp(-((ax / 0.020) ** 2) - ((y + 0.040) / 0.022) ** 2) * smoothstep(0.076, 0.090, z)
    d[:, 0] += 0.22 * face.nose * x * nose
    bridge = np.exp(-((ax / 0.012) ** 2) - ((y + 0.028) / 0.022) ** 2) * front
    d[:, 2] += 0.0045 * face.nose_out * bridge
    lip_u = np.exp(-((ax / 0.020) ** 2) - ((y + 0.066) / 0.005) ** 2) * front
    lip_l = np.exp(-((ax / 0.020) ** 2) - ((y + 0.076) / 0.006) ** 2) * front
    d[:, 2] += 0.0022 * face.lips * (lip_u + lip_l)
    d[:, 2] += 0.003 * face.brow * np.exp(-(((y - 0.020) / 0.010) ** 2)) * smoothstep(0.05, 0.07, z)
    d[:, 2] += 0.006 * face.chin * np.exp(-((ax / 0.025) ** 2) - ((y + 0.100) / 0.018) ** 2) * front
    cheek = np.exp(-(((ax - 0.045) / 0.022) ** 2) - ((y + 0.045) / 0.028) ** 2)
    d[:, 0] += 0.0045 * face.cheeks * cheek * sx * front
    # Expression: close or open the lips around the template's gap.
    lips = smoothstep(0.045, 0.062, z)
    taper = np.clip(1 - (ax / fc.MOUTH_INNER_X) ** 2, 0, 1) ** 0.65 * lips
    t = y - fc.MOUTH_Y
    near = np.exp(-((t / 0.010) ** 2))
    closing = 0.5 * fc.MOUTH_REST_GAP * max(0.0, 1 - expression.open / fc.MOUTH_REST_GAP)
    d[:, 1] -= np.sign(t) * closing * taper * near
    extra = max(0.0, expression.open - fc.MOUTH_REST_GAP)
    jaw = _jaw_share(p)
    d[:, 1] -= 0.82 * extra * jaw
    d[:, 2] -= 0.30 * extra * jaw
    d[:, 1] += 0.18 * extra * taper * np.exp(-((t / 0.012) ** 2)) * (t > 0)
    # A wide open mouth pulls its corners inwards.
    corner = np.exp(-(((ax - 0.024) / 0.016) ** 2) - ((y - fc.MOUTH_Y) / 0.020) ** 2) * front
    d[:, 0] += sx * corner * (0.0045 * expression.smile - 0.10 * extra)
    d[:, 1] += corner * 0.0055 * expression.smile
    d[:, 2] -= corner * 0.0020 * max(expression.smile, 0)
    brow = np.exp(-(((ax - 0.033) / 0.030) ** 2) - ((y - 0.024) / 0.010) ** 2) * front
    d[:, 1] += 0.0045 * expression.brow * brow
    return d


def _close_lids(p: np.ndarray, blink: tuple[float, float]) -> np.ndarray:
    """Move lid points over the eyeball."""
    out = p.copy()
    grid = np.linspace(0, 1, 33)
    up, low = fc.upper_lid(grid), fc.lower_lid(grid)
    axis = fc.INNER_CANTHUS, fc.OUTER_CANTHUS
    for side, amount in ((1, blink[0]), (-1, blink[1])):
        if amount <= 0:
            continue
        x, y = side * p[:, 0], p[:, 1]
        here = (x > axis[0][0]) & (x < axis[1][0]) & (p[:, 2] > 0.055) & (np.abs(y) < 0.022)
        ids = np.flatnonzero(here)
        xs, ys = x[ids], y[ids]
        y_up = np.interp(xs, up[:, 0], up[:, 1])
        y_low = np.interp(xs, low[:, 0], low[:, 1])
        mid = np.interp(xs, [axis[0][0], axis[1][0]], [axis[0][1], axis[1][1]])
        span = y_up - y_low
        above = ys > mid
        fall_u = smoothstep(0.0165, 0.0, ys - y_up)
        fall_l = smoothstep(0.0100, 0.0, y_low - ys)
        shift = np.where(above, -0.80 * span * fall_u, 0.20 * span * fall_l) * amount
        moved = ys + shift
        out[ids, 1] = moved
        # Lids ride on the eyeball: keep their height over it while they slide.
        before = np.minimum(p[ids, 2] - lid_height(xs, ys), 0.004)
        shell = lid_height(xs, moved)
        ok = np.isfinite(before) & np.isfinite(shell)
        slide = np.abs(shift) > 1e-5
        use = ok & slide
        out[ids[use], 2] = np.maximum(p[ids[use], 2], shell[use] + np.minimum(before[use], 0))
    return out


def warp_head(points: np.ndarray, kind: str, face: FaceShape, expression: Expression) -> np.ndarray:
    """Apply a face's identity and expression to head-frame points (N, 3).

    Args:
        points: Rest points of one part of the head.
        kind: Name of the part; eyeballs and glasses keep their form, teeth and tongue follow the jaws.
        face: Identity.
        expression: State.

    Returns:
        Displaced points float32 (N, 3).
    """
    p = points.astype(np.float64)
    if kind in ('eyes', 'glasses'):
        return (p + _eye_shift(face, p)).astype(np.float32)
    extra = max(0.0, expression.open - fc.MOUTH_REST_GAP)
    if kind in ('upper_teeth', 'lower_teeth', 'tongue'):
        share = {'upper_teeth': 0.0, 'lower_teeth': 1.0, 'tongue': 0.75}[kind]
        d = np.zeros_like(p)
        d[:, 0] += 0.06 * face.width * p[:, 0]
        d[:, 1] += 0.10 * face.length * np.minimum(p[:, 1] + 0.02, 0)
        d[:, 1] -= 0.82 * extra * share
        d[:, 2] -= 0.30 * extra * share
        return (p + d).astype(np.float32)
    if kind == 'skin' and max(expression.blink) > 0:
        p = _close_lids(p, expression.blink)
    return (p + _raise_of(expression, face, p)).astype(np.float32)


def _eye_shift(face: FaceShape, p: np.ndarray) -> np.ndarray:
    """Eyeballs, and the halves of glasses, move as wholes with the width of the face."""
    d = np.zeros_like(p)
    d[:, 0] = 0.06 * face.width * np.sign(p[:, 0]) * fc.EYE_CENTER[0]
    return d
