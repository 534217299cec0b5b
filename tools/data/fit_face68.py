#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Fit the weights by which the 68 face points follow from the 238 of the 308 layout, on rendered faces.

python tools/data/fit_face68.py                    the file in the package, and its errors
python tools/data/fit_face68.py --out FILE --faces 500 --noise 1
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import _bootstrap

PARTS = {'jaw': (0, 17), 'brows': (17, 27), 'nose': (27, 36), 'eyes': (36, 48), 'lips': (48, 68)}


def fit(source: np.ndarray, target: np.ndarray, noise: float) -> np.ndarray:
    """Weights (68, 238), rows summing to one, of the least squared error when the 238 points are noisy.

    Args:
        source: (N, 238, 3) points.
        target: (N, 68, 3) points.
        noise: Standard deviation of a point's error on each axis; it is the ridge.
    """
    middle = source.mean(1, keepdims=True)
    x = np.moveaxis(source - middle, 2, 1).reshape(-1, source.shape[1])
    y = np.moveaxis(target - middle, 2, 1).reshape(-1, target.shape[1])
    ridge = len(x) * noise**2 * np.eye(x.shape[1])
    # The rows of x sum to zero, so what solves this does too; the mean is added back as 1/238 of each.
    return np.linalg.solve(x.T @ x + ridge, x.T @ y).T + 1 / x.shape[1]


def errors(
    weights: np.ndarray, source: np.ndarray, target: np.ndarray, noise: float, seed: int
) -> dict[str, float]:
    """Mean error per part, in shares of the distance between the outer corners of the eyes, in space."""
    random = np.random.default_rng(seed)
    found = weights @ (source + random.normal(0, noise, source.shape))
    size = np.linalg.norm(target[:, 36] - target[:, 45], axis=1)
    away = np.linalg.norm(found - target, axis=2) / size[:, None]
    parts = {name: float(away[:, start:stop].mean()) for name, (start, stop) in PARTS.items()}
    return {**parts, 'all': float(away.mean())}


def main(arguments: list[str] | None = None) -> int:
    """Fit, measure on other faces, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--faces', type=int, default=1500, help='how many to fit on')
    parser.add_argument('--noise', type=float, default=2.0, help='of a point, millimetres')
    parser.add_argument('--out', type=Path, help='default: the file in the package')
    args = parser.parse_args(arguments)
    from sapiens_inference.outputs.face68 import WEIGHTS_FILE
    from sapiens_synth.face68 import random_faces

    noise = args.noise / 1000
    weights = fit(*random_faces(args.faces, seed=0), noise)
    held_out = random_faces(max(args.faces // 5, 1), seed=1)
    print(f'{"points off by":16}' + ''.join(f'{name:>8}' for name in [*PARTS, 'all']))
    for level in (0.0, noise):
        found = errors(weights, *held_out, level, seed=2)
        print(
            f'{level * 1000:13.1f} mm' + ''.join(f'{100 * value:7.2f}%' for value in found.values())
        )
    out = args.out or WEIGHTS_FILE
    out.parent.mkdir(parents=True, exist_ok=True)
    save_file({'weights': np.ascontiguousarray(weights, np.float32)}, out)
    print(f'{out}: {weights.shape[0]} points from {weights.shape[1]}')
    return 0


if __name__ == '__main__':
    _bootstrap.run(main)
