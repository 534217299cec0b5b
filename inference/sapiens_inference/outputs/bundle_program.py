#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Run the model of this folder on a photo, with NumPy, OpenCV and ONNX Runtime alone.

    python run.py photo.jpg --box 120 40 480 900 --out result

``bundle.json`` says how a photo becomes the model's input and how its outputs become a result; this program does
what stands there. From Python::

    from run import Model

    model = Model('folder of the bundle')
    result = model(cv2.imread('photo.jpg'), box=(120, 40, 480, 900))

Images are BGR uint8 (H, W, 3), boxes x1, y1, x2, y2 in pixels of the photo.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime

INTERPOLATION = {'linear': cv2.INTER_LINEAR, 'cubic': cv2.INTER_CUBIC, 'area': cv2.INTER_AREA}


@dataclass
class Placed:
    """The network's input, and where it lies in the photo.

    Attributes:
        image: uint8 BGR (height, width, 3), of the size of the input.
        region: x1, y1, x2, y2 of the part of the photo that it shows.
        padding: Columns left and right, rows above and below, that show nothing of it.
        centre, scale: Of the input in pixels of the photo, (x, y) each.
    """

    image: np.ndarray
    region: tuple[int, int, int, int]
    padding: tuple[int, int, int, int]
    centre: np.ndarray
    scale: np.ndarray


class Model:
    """A bundle that is ready to run.

    Args:
        folder: Where ``bundle.json`` lies.
        providers: ONNX Runtime's, such as ``['CPUExecutionProvider']``; None takes all that are there.
    """

    def __init__(self, folder: str | Path, providers: list[str] | None = None) -> None:
        self.facts = json.loads(Path(folder, 'bundle.json').read_text(encoding='utf-8'))
        self.session = onnxruntime.InferenceSession(
            str(Path(folder, self.facts['model']['file'])),
            providers=providers or onnxruntime.get_available_providers(),
        )
        self.height, self.width = self.facts['input']['shape'][2:]

    def __call__(self, image: np.ndarray, box: Any = None) -> Any:
        """The result for one person, or for the whole photo if there is no box.

        Returns:
            Of pose (K, 3): x and y in pixels of the photo, and the score. Of segmentation uint8 (H, W) class ids.
            Of the others float32 (H, W, C): depth, normals (X right, Y up, Z to the camera), points in
            metres (x right, y down, z forward), albedo (red first, 0 to 1), or foreground times alpha, and alpha.
            Outside a box maps hold ``output.outside``.
        """
        place = self.place_box if self.facts['geometry']['kind'] == 'box' else self.place_region
        placed = place(image, box)
        maps = self.maps_of(placed.image)
        if self.facts['task'] == 'pose':
            return self.keypoints(maps, placed)
        return self.dense(maps, placed, image.shape[:2])

    # ---- from the photo to the input ----

    def place_box(self, image: np.ndarray, box: Any) -> Placed:
        """Warp a person's box to the input; the photo's first and last pixel become the input's."""
        geometry = self.facts['geometry']
        if geometry['scaling'] != '(size - 1) / box':
            raise ValueError(f'this program does not know the scaling {geometry["scaling"]!r}')
        x1, y1, x2, y2 = (0, 0, *image.shape[1::-1]) if box is None else box
        centre = np.array([x1 + x2, y1 + y2]) / 2
        w, h = self.to_aspect(np.array([x2 - x1, y2 - y1]) * geometry['box_growth'])
        sx, sy = (self.width - 1) / w, (self.height - 1) / h
        warp = np.array([[sx, 0, sx * (w / 2 - centre[0])], [0, sy, sy * (h / 2 - centre[1])]])
        way = 'enlarging' if min(sx, sy) >= 1 else 'shrinking'
        flags = INTERPOLATION[geometry['interpolation'][way]]
        crop = cv2.warpAffine(image, warp, (self.width, self.height), flags=flags)
        return Placed(crop, (0, 0, 0, 0), (0, 0, 0, 0), centre, np.array([w, h]))

    def place_region(self, image: np.ndarray, box: Any) -> Placed:
        """Cut a person, or take all of the photo, and resize that to the input."""
        geometry = self.facts['geometry']
        height, width = image.shape[:2]
        x1, y1, x2, y2 = 0, 0, width, height
        if box is not None and geometry['box_growth']:
            low, high = np.float32(box[:2]), np.float32(box[2:])
            size = np.array([width, height])
            leaves = geometry['beyond_border'] == 'black'
            if leaves:
                low = np.clip(low, 0, size - 1)
                high = np.clip(high, low + 1, size)
            half = np.array(self.to_aspect((high - low) * geometry['box_growth'])) / 2
            middle = (low + high) / 2
            corner, end = np.floor(middle - half), np.ceil(middle + half)
            if not leaves:
                corner = np.clip(corner, 0, size - 1)
                end = np.clip(end, corner + 1, size)
            x1, y1, x2, y2 = np.concatenate([corner, end]).astype(int)
        crop = np.zeros((y2 - y1, x2 - x1, 3), np.uint8)
        in_photo, in_region = overlap((x1, y1, x2, y2), image.shape)
        crop[in_region] = image[in_photo]
        rows, columns = crop.shape[:2]
        padding = (0, 0, 0, 0)
        if geometry['kind'] == 'fit':  # the aspect is kept, and the rest is black
            factor = min(self.height / rows, self.width / columns)
            fitted = max(1, int(columns * factor)), max(1, int(rows * factor))
            crop = cv2.resize(crop, fitted, interpolation=cv2.INTER_LINEAR)
            left, top = (self.width - fitted[0]) // 2, (self.height - fitted[1]) // 2
            padding = left, self.width - fitted[0] - left, top, self.height - fitted[1] - top
            crop = cv2.copyMakeBorder(crop, *padding[2:], *padding[:2], cv2.BORDER_CONSTANT)
        else:
            way = geometry['interpolation']
            if ' if the width shrinks, else ' in way:
                shrinking, enlarging = way.split(' if the width shrinks, else ')
                way = shrinking if self.width < columns else enlarging
            crop = cv2.resize(crop, (self.width, self.height), interpolation=INTERPOLATION[way])
        # Of keypoints: from the middle of the first pixel to that of the last, not between outer edges.
        size, whole = np.array([self.width, self.height]), np.array([columns, rows])
        scale, centre = whole * (size - 1) / size, whole / 2 - 0.5 + (x1, y1)
        return Placed(crop, (x1, y1, x2, y2), padding, centre, scale)

    def to_aspect(self, size: Any) -> tuple[float, float]:
        """Enlarge one side of (width, height) to the aspect ratio of the input."""
        aspect = self.width / self.height
        w, h = size
        return max(w, h * aspect), max(h, w / aspect)

    # ---- the model ----

    def maps_of(self, image: np.ndarray) -> np.ndarray:
        """Raw maps float32 (C, h, w) of an input, averaged with those of the mirrored one where that is wanted."""
        facts = self.facts['input']
        pixels = image[..., ::-1] if facts['colours'] == 'RGB' else image
        pixels = (pixels.astype(np.float32) - np.float32(facts['mean'])) / np.float32(facts['std'])
        batch = np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])
        output = self.facts['output']
        if not output.get('mirror_and_average'):
            return self.session.run(None, {'images': batch})[0][0]
        mirrored = np.ascontiguousarray(batch[..., ::-1])
        maps, other = (self.session.run(None, {'images': x})[0][0] for x in (batch, mirrored))
        return (maps + other[output['mirrored'], :, ::-1]) * np.float32(0.5)

    # ---- from maps to results ----

    def keypoints(self, maps: np.ndarray, placed: Placed) -> np.ndarray:
        """Positions and scores (K, 3) of heatmaps (K, h, w)."""
        output = self.facts['output']
        points = [sub_pixel_peak(one, output['blur_taps'], output['clip']) for one in maps]
        found = np.array(points)
        size = np.array(maps.shape[:0:-1])  # (w, h)
        xy = found[:, :2] / (size - 1) * placed.scale + placed.centre - placed.scale / 2
        return np.column_stack([xy, found[:, 2]])

    def dense(self, maps: np.ndarray, placed: Placed, shape: tuple[int, ...]) -> np.ndarray:
        """Go through ``output.steps`` with maps (C, h, w), and put the result into the photo."""
        output = self.facts['output']
        x1, y1, x2, y2 = placed.region
        size = {'input': (self.height, self.width), 'photo': (y2 - y1, x2 - x1)}
        for step in output['steps']:
            if step['do'] == 'resize':
                maps = resize(maps, size[step['to']])
            elif step['do'] == 'unpad':
                left, right, top, bottom = placed.padding
                maps = maps[:, top : maps.shape[1] - bottom, left : maps.shape[2] - right]
            elif step['do'] == 'limit':
                maps = maps.clip(step['low'], step['high'])
            elif step['do'] == 'unit length':
                length = np.linalg.norm(maps, axis=0)
                maps = maps / (np.maximum(length, step['shortest']) + step['offset'])
            elif step['do'] == 'blur if enlarged':
                enlarged = maps.shape[1] < size['photo'][0] or maps.shape[2] < size['photo'][1]
                for _ in range(step['times'] * enlarged):
                    blur = [cv2.GaussianBlur(one, (3, 3), step['sigma']) for one in maps]
                    maps = np.stack(blur)
            else:
                assert step['do'] == 'labels at the size of the photo', step
                maps = labels(maps, size['photo'])
        result = maps[0] if len(maps) == 1 else maps.transpose(1, 2, 0)
        outside = np.nan if output['outside'] is None else output['outside']
        whole = np.full((*shape, *result.shape[2:]), outside, result.dtype)
        in_photo, in_region = overlap(placed.region, shape)
        whole[in_photo] = result[in_region]
        return whole


def overlap(region: tuple[int, int, int, int], shape: tuple[int, ...]) -> tuple[Any, Any]:
    """Rows and columns of the part of a region that lies in a photo: counted in the photo, and in the region."""
    x1, y1, x2, y2 = region
    top, left, bottom, right = max(y1, 0), max(x1, 0), min(y2, shape[0]), min(x2, shape[1])
    return np.s_[top:bottom, left:right], np.s_[top - y1 : bottom - y1, left - x1 : right - x1]


def resize(maps: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Maps (C, h, w) at another (height, width), bilinearly."""
    return np.stack([cv2.resize(one, size[::-1], interpolation=cv2.INTER_LINEAR) for one in maps])


def labels(logits: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The largest class uint8 (1, height, width) of logits (C, h, w); one class at a time saves memory."""
    best = cv2.resize(logits[0], size[::-1], interpolation=cv2.INTER_LINEAR)
    found = np.zeros(size, np.uint8)
    for number, one in enumerate(logits[1:], start=1):
        candidate = cv2.resize(one, size[::-1], interpolation=cv2.INTER_LINEAR)
        found[candidate > best] = number
        best = np.maximum(best, candidate)
    return found[None]


def sub_pixel_peak(
    heatmap: np.ndarray, taps: int, clip: tuple[float, float]
) -> tuple[float, float, float]:
    """Position (x, y) in pixels of the heatmap (h, w), and score, of its maximum; (-1, -1) if that is not positive.

    The maximum moves by one Newton step on the logarithm of the blurred map (Zhang et al., "Distribution-Aware Coordinate
    Representation for Human Pose Estimation", CVPR 2020), outside of which is zero.
    """
    score = heatmap.max()
    if score <= 0:
        return -1.0, -1.0, float(score)
    y, x = np.unravel_index(heatmap.argmax(), heatmap.shape)
    half = taps // 2
    padded = cv2.copyMakeBorder(heatmap, half, half, half, half, cv2.BORDER_CONSTANT)
    blurred = cv2.GaussianBlur(padded, (taps, taps), 0)[half:-half, half:-half]
    blurred *= score / blurred.max()
    near = np.pad(np.log(np.clip(blurred, clip[0], clip[1])), 1, mode='edge')[y : y + 3, x : x + 3]
    (ul, up, _), (left, middle, right), (_, down, dr) = near
    dxx, dyy = right - 2 * middle + left, down - 2 * middle + up
    dxy = 0.5 * (dr - right - down + middle + middle - left - up + ul)
    gradient = np.array([0.5 * (right - left), 0.5 * (down - up)])
    hessian = np.array([[dxx, dxy], [dxy, dyy]]) + np.finfo(np.float32).eps * np.eye(2)
    try:
        step = np.linalg.inv(hessian) @ gradient
    except np.linalg.LinAlgError:  # a flat top
        step = np.zeros(2)
    return float(x - step[0]), float(y - step[1]), float(score)


def main() -> None:
    """Run on one photo and write ``<out>.json`` (pose), or ``<out>.npy`` and, of segmentation, ``<out>.png``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('photo')
    parser.add_argument('--box', type=float, nargs=4, help='x1 y1 x2 y2; default: the whole photo')
    parser.add_argument('--out', default='result', help='file to write, without suffix')
    args = parser.parse_args()
    image = cv2.imread(args.photo)  # it follows EXIF's orientation
    if image is None:
        parser.error(f'{args.photo} is not an image that OpenCV reads')
    model = Model(Path(__file__).parent)
    result = model(image, args.box)
    if model.facts['task'] == 'pose':
        people = dict(zip(model.facts['names'], result.round(3).tolist(), strict=True))
        Path(f'{args.out}.json').write_text(json.dumps(people, indent=1), encoding='utf-8')
        return
    np.save(f'{args.out}.npy', result)
    if model.facts['task'] == 'seg':
        palette = np.array(model.facts['palette'], np.uint8)
        cv2.imwrite(f'{args.out}.png', np.ascontiguousarray(palette[result][..., ::-1]))


if __name__ == '__main__':
    main()
