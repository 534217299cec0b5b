# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Sub-pixel maxima of heatmaps, for all keypoints of all people at once.

Shape letters: B people, K keypoints, H x W heatmap, M = B * K maps. Coordinates are (x, y) in pixels
of the heatmap.

The result is that of mmpose's ``refine_keypoints_dark_udp``, which blurs every map whole, rescales it to
its former maximum, clips it to [1e-3, 50], takes the logarithm and makes one Newton step at the
maximum. That step reads seven blurred values. They depend on a small window only, and the rescaling
is a common factor that the logarithm turns into a constant, which derivatives cancel, unless the clip
bites. So the window is blurred, and whole maps only where a clip is possible.

Where the Hessian is nearly singular, on a long ridge say, its inverse makes whole pixels of the last bit of
a blurred value. There the step is upstream's own, in its order of operations.

References:
    Zhang et al., "Distribution-Aware Coordinate Representation for Human Pose Estimation", CVPR 2020.
    Huang et al., "The Devil is in the Details: Delving into Unbiased Data Processing", CVPR 2020.
"""

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from mmpose.codecs.utils import refine_keypoints_dark_udp
from torch import Tensor

CLIP = (1e-3, 50.0)
# What upstream adds to the Hessian's diagonal before inverting it.
_RIDGE = float(np.finfo(np.float32).eps)
# The logarithms carry an error of about 5e-7: up to here it moves a point by at most 3e-4 pixels.
_MOST_AMPLIFICATION = 500.0


def heatmap_maxima(heatmaps: Tensor) -> tuple[Tensor, Tensor]:
    """Position and value of the largest pixel of maps (M, H, W).

    Returns:
        (M, 2) integer (x, y) and (M,) values in the dtype of the maps.
    """
    width = heatmaps.shape[-1]
    flat = heatmaps.flatten(1)
    if flat.device.type == 'cpu' and flat.dtype == torch.float32:
        # NumPy's argmax is vectorised, torch's CPU reduction with indices is not.
        index = torch.from_numpy(flat.numpy().argmax(axis=1))
    else:
        index = flat.argmax(dim=1)
    scores = flat.gather(1, index[:, None])[:, 0]
    return torch.stack([index % width, index // width], dim=1), scores


def gaussian_taps(kernel_size: int, device: torch.device) -> Tensor:
    """The (kernel_size,) weights that ``cv2.GaussianBlur(..., sigma=0)`` uses."""
    taps = cv2.getGaussianKernel(kernel_size, 0)[:, 0].astype(np.float32)
    return torch.from_numpy(taps).to(device)


def refine_udp(heatmaps: Tensor, peaks: Tensor, scores: Tensor, kernel_size: int) -> Tensor:
    """Move every peak by one Newton step on the logarithm of the blurred map.

    Args:
        heatmaps: (M, H, W).
        peaks: (M, 2) integer (x, y) of the maxima.
        scores: (M,) values of the maxima.
        kernel_size: Odd side of the Gaussian in pixels.

    Returns:
        (M, 2) float32 positions; (-1, -1) where the maximum is not positive, as upstream says.
    """
    taps = gaussian_taps(kernel_size, heatmaps.device)
    blurred = _blur_around(heatmaps, peaks, taps)  # (M, 3, 3)
    scores = scores.float()
    positive = scores > 0
    lowest = blurred.flatten(1).amin(dim=1)
    may_clip = positive & ((lowest < CLIP[0]) | (scores > CLIP[1]))
    chosen = may_clip.nonzero()[:, 0]
    if len(chosen):
        factor = scores[chosen] / _blurred_maxima(heatmaps[chosen].float(), taps)
        blurred[chosen] = (blurred[chosen] * factor[:, None, None]).clamp(*CLIP)
    step, amplification = _newton_step(blurred.clamp(min=torch.finfo(torch.float32).tiny).log())
    points = peaks.float() - step
    # NaN is not below the limit either.
    sensitive = (positive & ~(amplification < _MOST_AMPLIFICATION)).nonzero()[:, 0]
    if len(sensitive):
        maps, starts = heatmaps[sensitive].float().cpu().numpy(), peaks[sensitive].cpu().numpy()
        points[sensitive] = torch.from_numpy(_upstream(maps, starts, kernel_size)).to(points)
    return torch.where(positive[:, None], points, -1.0)


def _upstream(heatmaps: np.ndarray, peaks: np.ndarray, kernel_size: int) -> np.ndarray:
    """Mmpose's refined positions (M, 2) of maps (M, H, W); the peak where a Hessian has no inverse."""
    starts = peaks.astype(np.float32)
    try:
        # It changes both arrays.
        return refine_keypoints_dark_udp(starts[None].copy(), heatmaps.copy(), kernel_size)[0]
    except np.linalg.LinAlgError:  # of one map, and it does not say of which
        if len(heatmaps) == 1:
            return starts
        parts = zip(np.array_split(heatmaps, 2), np.array_split(peaks, 2), strict=True)
        return np.concatenate([_upstream(*part, kernel_size) for part in parts])


def _blur_around(heatmaps: Tensor, peaks: Tensor, taps: Tensor) -> Tensor:
    """Blurred values at the 3 x 3 pixels around each peak; pixels outside repeat the map's edge.

    Args:
        heatmaps: (M, H, W); zero outside, as upstream pads.
        peaks: (M, 2) integer (x, y).
        taps: (k,) weights of the separable blur.

    Returns:
        (M, 3, 3) float32, indexed [y, x].
    """
    height, width = heatmaps.shape[1:]
    device = heatmaps.device
    half = len(taps) // 2
    reach = torch.arange(-half - 1, half + 2, device=device)
    columns, rows = peaks[:, :1] + reach, peaks[:, 1:] + reach  # (M, k + 2)
    index = rows.clamp(0, height - 1)[:, :, None] * width + columns.clamp(0, width - 1)[:, None, :]
    window = heatmaps.flatten(1).gather(1, index.flatten(1)).view_as(index).float()
    inside = _inside(rows, height)[:, :, None] & _inside(columns, width)[:, None, :]
    window = window * inside
    band = torch.zeros(3, len(reach), device=device)
    for offset in range(3):
        band[offset, offset : offset + len(taps)] = taps
    blurred = band @ window @ band.T
    steps = torch.arange(-1, 2, device=device)
    y = (peaks[:, 1:] + steps).clamp(0, height - 1) - peaks[:, 1:] + 1  # (M, 3) in 0..2
    x = (peaks[:, :1] + steps).clamp(0, width - 1) - peaks[:, :1] + 1
    return blurred.gather(1, y[:, :, None].expand(-1, -1, 3)).gather(
        2, x[:, None, :].expand(-1, 3, -1)
    )


def _inside(positions: Tensor, size: int) -> Tensor:
    """Which positions are pixels of an axis of that size."""
    return (positions >= 0) & (positions < size)


def _blurred_maxima(heatmaps: Tensor, taps: Tensor) -> Tensor:
    """Maxima (M,) of float32 maps (M, H, W) blurred with zeros outside."""
    if heatmaps.device.type != 'cpu':
        return _blurred_maxima_by_convolution(heatmaps, taps)
    # OpenCV's filter is nine times faster than torch's convolution of a single channel on a CPU.
    kernel = taps.numpy()
    maxima = [
        cv2.sepFilter2D(one, -1, kernel, kernel, borderType=cv2.BORDER_CONSTANT).max()
        for one in heatmaps.numpy()
    ]
    return torch.from_numpy(np.array(maxima, np.float32))


def _blurred_maxima_by_convolution(heatmaps: Tensor, taps: Tensor) -> Tensor:
    """The same on any device."""
    half = len(taps) // 2
    maps = F.conv2d(heatmaps[:, None], taps.view(1, 1, 1, -1), padding=(0, half))
    maps = F.conv2d(maps, taps.view(1, 1, -1, 1), padding=(half, 0))
    return maps.flatten(1).amax(dim=1)


def _newton_step(logs: Tensor) -> tuple[Tensor, Tensor]:
    """Inverse Hessian times gradient (M, 2), in (x, y), of (M, 3, 3) values indexed [y, x].

    Also (M,) the norm of the inverse: what an error of the values is at most multiplied by.

    The differences are upstream's, the mixed one included. They are formed in float32, and solved in
    float64, as there.
    """
    centre = logs[:, 1, 1]
    left, right, up, down = logs[:, 1, 0], logs[:, 1, 2], logs[:, 0, 1], logs[:, 2, 1]
    dx, dy = 0.5 * (right - left), 0.5 * (down - up)
    dxx, dyy = right - 2 * centre + left, down - 2 * centre + up
    dxy = 0.5 * (logs[:, 2, 2] - right - down + centre + centre - left - up + logs[:, 0, 0])
    dx, dy, dxx, dyy, dxy = (value.double() for value in (dx, dy, dxx, dyy, dxy))
    dxx, dyy = dxx + _RIDGE, dyy + _RIDGE
    determinant = dxx * dyy - dxy * dxy
    step_x = (dyy * dx - dxy * dy) / determinant
    step_y = (dxx * dy - dxy * dx) / determinant
    norm = (dxx.square() + dyy.square() + 2 * dxy.square()).sqrt() / determinant.abs()
    return torch.stack([step_x, step_y], dim=1).float(), norm
