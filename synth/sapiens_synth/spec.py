# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Everything that makes one procedural person, drawn at random."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from sapiens_synth.clothing import SHOES, SOCKS, TOPS
from sapiens_synth.hair import HAIR_STYLES, HAT_STYLES
from sapiens_synth.poses import sample_pose
from sapiens_synth.skeleton import BONE_ID, BONES, FINGERS, Proportions
from sapiens_synth.warps import BodyShape, Expression, FaceShape

RGB = tuple[float, float, float]

# Skin albedo from fair to dark, linear RGB.
_SKIN = np.array(
    [
        [0.84, 0.60, 0.48],
        [0.78, 0.52, 0.38],
        [0.66, 0.41, 0.28],
        [0.50, 0.29, 0.18],
        [0.32, 0.17, 0.10],
        [0.17, 0.085, 0.05],
    ]
)
_HAIR = np.array(
    [
        [0.012, 0.010, 0.009],
        [0.030, 0.018, 0.012],
        [0.075, 0.038, 0.020],
        [0.16, 0.085, 0.040],
        [0.42, 0.27, 0.12],
        [0.28, 0.070, 0.022],
        [0.42, 0.40, 0.38],
    ]
)
_IRIS = np.array(
    [
        [0.06, 0.03, 0.015],
        [0.13, 0.07, 0.03],
        [0.10, 0.18, 0.28],
        [0.10, 0.17, 0.09],
        [0.20, 0.22, 0.23],
    ]
)
WILD_PATTERNS = ('blotches', 'print', 'blocks', 'fade')
"""Patterns of wild wardrobes, beyond :data:`PATTERNS`."""
PATTERNS = ('plain', 'stripes', 'bands', 'checks', 'dots', 'melange')


@dataclass(frozen=True)
class Cloth:
    """Look of one garment.

    Attributes:
        name: Key of the garment table.
        color: Main colour, linear RGB.
        second: Colour of the pattern.
        pattern: One of :data:`PATTERNS`.
        scale: Repeats per metre.
        folds: Contrast of the shade in folds that the mesh does not have.
    """

    name: str
    color: RGB
    second: RGB
    pattern: str = 'plain'
    scale: float = 20.0
    folds: float = 0.0


@dataclass
class PersonSpec:
    """One procedural person.

    Attributes:
        pose: Bone rotations (bones, 3, 3).
        proportions: Bone scales.
        body: Shape of the trunk.
        face: Identity.
        expression: State of the face.
        skin: Albedo, linear RGB.
        hair_color: Albedo of hair and brows.
        iris: Albedo of the irises.
        pupil_ratio: Radius of the pupils against the irises.
        lip_tint: Albedo of the lips.
        stubble: Beard shadow, 0..1.
        hair: Style.
        hat: Style, or '' without one.
        hat_color: Albedo of the hat.
        glasses: Style, or '' without.
        glasses_color: Albedo of the glasses.
        clothes: Garments from the inside out.
        root: Rigid placement in the world (4, 4).
    """

    pose: np.ndarray
    proportions: Proportions = field(default_factory=Proportions.neutral)
    body: BodyShape = field(default_factory=BodyShape)
    face: FaceShape = field(default_factory=FaceShape)
    expression: Expression = field(default_factory=Expression)
    skin: RGB = (0.66, 0.41, 0.28)
    hair_color: RGB = (0.03, 0.018, 0.012)
    iris: RGB = (0.13, 0.07, 0.03)
    pupil_ratio: float = 0.45
    lip_tint: RGB = (0.5, 0.2, 0.18)
    stubble: float = 0.0
    hair: str = 'short'
    hat: str = ''
    hat_color: RGB = (0.2, 0.2, 0.2)
    glasses: str = ''
    glasses_color: RGB = (0.02, 0.02, 0.02)
    clothes: list[Cloth] = field(default_factory=list)
    root: np.ndarray = field(default_factory=lambda: np.eye(4))


def _rgb(values: np.ndarray) -> RGB:
    r, g, b = np.clip(values, 0.004, 0.92)
    return float(r), float(g), float(b)


def _palette(rng: np.random.Generator, table: np.ndarray, jitter: float) -> RGB:
    at = rng.uniform(0, len(table) - 1)
    i = min(int(at), len(table) - 2)
    base = table[i] + (at - i) * (table[i + 1] - table[i])
    return _rgb(base * np.exp(rng.normal(0, jitter, 3)))


def cloth_color(rng: np.random.Generator) -> RGB:
    """Random dye: greys, darks, muted and strong colours."""
    kind = rng.random()
    if kind < 0.35:
        value = rng.choice([0.02, 0.05, 0.15, 0.4, 0.75]) * rng.uniform(0.7, 1.2)
        return _rgb(value * np.exp(rng.normal(0, 0.06, 3)))
    hue, value = rng.random() * 6, rng.uniform(0.06, 0.7)
    saturation = rng.uniform(0.25, 0.6) if kind < 0.7 else rng.uniform(0.6, 0.95)
    rainbow = np.clip(np.abs((hue + np.array([0, 4, 2])) % 6 - 3) - 1, 0, 1)
    return _rgb(value * (1 - saturation + saturation * rainbow))


def _cloth(rng: np.random.Generator, name: str, fancy: float = 0.45) -> Cloth:
    pattern = str(rng.choice(PATTERNS[1:])) if rng.random() < fancy else 'plain'
    return Cloth(name, cloth_color(rng), cloth_color(rng), pattern, float(rng.uniform(9, 45)))


def _worn(rng: np.random.Generator, cloth: Cloth) -> Cloth:
    """A garment with deeper folds and, on some, a bolder pattern."""
    pattern, scale = cloth.pattern, cloth.scale
    if rng.random() < 0.3:
        pattern, scale = str(rng.choice(WILD_PATTERNS)), float(rng.uniform(3, 20))
    return replace(cloth, pattern=pattern, scale=scale, folds=float(rng.uniform(0, 0.3)))


def _wardrobe(rng: np.random.Generator, feminine: float) -> list[Cloth]:
    out = []
    bare = rng.random()
    bottom_p = {
        'trousers': 0.25,
        'jeans': 0.28,
        'shorts': 0.24,
        'skirt': 0.18 * feminine,
        'briefs': 0.06,
    }
    bottoms = list(bottom_p)
    p = np.array(list(bottom_p.values()))
    bottom = str(rng.choice(bottoms, p=p / p.sum()))
    tops = [t for t in TOPS if t != 'crop']
    if bare < 0.10:
        top = 'crop' if feminine > 0.45 else ''
    elif bare < 0.16 and feminine > 0.45:
        top = 'crop'
    else:
        top = str(rng.choice(tops))
    feet = rng.random()
    if feet < 0.62:
        if rng.random() < 0.7:
            out.append(_cloth(rng, str(rng.choice(SOCKS)), 0.3))
        out.append(_cloth(rng, str(rng.choice(SHOES, p=[0.75, 0.25])), 0.0))
    elif feet < 0.80:
        out.append(_cloth(rng, str(rng.choice(SOCKS)), 0.4))
    out.append(_cloth(rng, bottom, 0.25))
    if top:
        out.append(_cloth(rng, top))
    if bottom != 'skirt' and (not top or rng.random() < 0.12):
        out.append(_cloth(rng, 'belt', 0.0))
    if rng.random() < 0.15:
        out.append(_cloth(rng, 'watch', 0.0))
    if top and rng.random() < 0.08:
        out.append(_cloth(rng, 'scarf', 0.5))
    return out


def _proportions(rng: np.random.Generator, feminine: float) -> Proportions:
    p = Proportions.neutral()
    stature = rng.normal(1.02 - 0.05 * feminine, 0.045)
    build = float(np.clip(rng.normal(1.02 - 0.07 * feminine, 0.085), 0.84, 1.3))
    legs, arms = rng.normal(1, 0.025), rng.normal(1, 0.025)
    head = rng.normal(1.0, 0.025) * stature**0.3
    for i, name in enumerate(BONES):
        part = name[2:] if name[1] == '_' else name
        length, girth = stature, stature * build
        if part in ('thigh', 'shin'):
            length *= legs
        elif part in ('upper_arm', 'forearm'):
            length *= arms
        elif part == 'head':
            length = girth = head
        elif part == 'neck':
            girth = stature * (0.4 + 0.6 * build) * (1 - 0.08 * (feminine - 0.5))
        elif part == 'clavicle':
            length *= 1 - 0.10 * (feminine - 0.5)
            girth = stature * (0.5 + 0.5 * build)
        elif part in ('foot', 'toes', 'hand') or part[:-1] in FINGERS:
            length = girth = stature * (0.75 + 0.25 * build) * (1 - 0.06 * (feminine - 0.5))
        elif part in ('pelvis', 'spine', 'chest'):
            girth = stature * (0.35 + 0.65 * build)
        p.length[i], p.girth[i] = length, girth
    # A bone's end must match the next bone's girth, or the joint shows a step.
    for side in 'lr':
        p.girth[BONE_ID[f'{side}_shin']] = 0.7 * p.girth[BONE_ID[f'{side}_shin']] + 0.3 * stature
        p.girth[BONE_ID[f'{side}_forearm']] = (
            0.7 * p.girth[BONE_ID[f'{side}_forearm']] + 0.3 * stature
        )
    return p


def sample_person(rng: np.random.Generator, variety: float = 1.0, wild: bool = False) -> PersonSpec:
    """Draw a person.

    Args:
        rng: Source of randomness; equal states give equal people.
        variety: Share of people in lively poses; the others stand.
        wild: Whether clothes may have any pattern and look worn.
    """
    feminine = float(rng.random())
    skin = np.array(_palette(rng, _SKIN, 0.05))
    n = rng.normal
    mouth = rng.random()
    opening = (
        0.0
        if mouth < 0.45
        else (rng.uniform(0.0, 0.009) if mouth < 0.75 else rng.uniform(0.009, 0.024))
    )
    blink = rng.random()
    lids = rng.uniform(0, 0.18) if blink < 0.9 else rng.uniform(0.3, 1.0)
    style = str(rng.choice(HAIR_STYLES, p=_hair_odds(feminine)))
    hat = str(rng.choice(HAT_STYLES)) if rng.random() < 0.13 else ''
    if hat and style in ('afro', 'bun', 'swept'):
        style = 'short'
    clothes = _wardrobe(rng, feminine)
    if wild:
        clothes = [_worn(rng, cloth) for cloth in clothes]
    bare = not any(cloth.name in TOPS for cloth in clothes)
    lip = skin * np.array([0.86, 0.55, 0.55])
    if feminine > 0.5 and rng.random() < 0.4:
        lip = 0.4 * lip + 0.6 * np.array([0.45, 0.05, 0.07]) * rng.uniform(0.6, 1.4)
    return PersonSpec(
        pose=sample_pose(rng, variety),
        proportions=_proportions(rng, feminine),
        body=BodyShape(
            belly=float(np.clip(n(-0.1, 0.5), -0.5, 1.4)),
            hips=n(0.35 * feminine, 0.5),
            waist=n(0.1 - 0.7 * feminine, 0.5),
            chest=n(0.3 - 0.6 * feminine, 0.5),
            bust=-0.35 if bare else float(np.clip(n(1.5 * feminine - 0.75, 0.35), -0.35, 1.2)),
        ),
        face=FaceShape(
            n(0, 0.7), n(0, 0.6), n(0.4 - 0.8 * feminine, 0.6), n(0, 0.7), n(-0.1, 0.5),
            n(0.3, 0.7), n(0.5 - feminine, 0.6), n(0, 0.7), n(0.2, 0.7),
        ),
        expression=Expression(
            open=float(opening),
            smile=float(np.clip(n(0.25, 0.5), -0.8, 1.2)),
            blink=(float(lids), float(lids)),
            brow=float(np.clip(n(0, 0.5), -1, 1)),
            gaze=(float(np.clip(n(0, 0.16), -0.4, 0.4)), float(np.clip(n(0, 0.09), -0.2, 0.2))),
        ),
        skin=_rgb(skin),
        hair_color=_rgb(np.array(_HAIR[rng.choice(len(_HAIR), p=[0.2, 0.22, 0.22, 0.14, 0.1, 0.06, 0.06])]) * np.exp(n(0, 0.15))),
        iris=_rgb(_IRIS[rng.integers(len(_IRIS))] * np.exp(n(0, 0.15, 3))),
        pupil_ratio=float(rng.choice([0.35, 0.45, 0.55])),
        lip_tint=_rgb(lip),
        stubble=float(rng.uniform(0.2, 1)) if feminine < 0.4 and rng.random() < 0.5 else 0.0,
        hair=style,
        hat=hat,
        hat_color=cloth_color(rng),
        clothes=clothes,
    )  # fmt: skip


def _hair_odds(feminine: float) -> np.ndarray:
    masculine = np.array([0.10, 0.22, 0.32, 0.22, 0.02, 0.03, 0.01, 0.01, 0.07])
    other = np.array([0.01, 0.03, 0.10, 0.08, 0.22, 0.26, 0.12, 0.13, 0.05])
    odds = masculine + feminine * (other - masculine)
    return odds / odds.sum()
