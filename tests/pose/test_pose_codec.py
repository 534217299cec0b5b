# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
import numpy as np
import pytest
import torch
from mmpose.codecs import UDPHeatmap as MMPoseUDPHeatmap

from sapiens_pose.codecs import BatchedUDPHeatmap, udp_decode

SIZES = [((768, 1024), (192, 256), 6), ((192, 256), (48, 64), 2)]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize('input_size, heatmap_size, sigma', SIZES)
def test_targets_equal_upstream(rng, input_size, heatmap_size, sigma):
    # inside, across the border, and far outside; labelled, doubtful and unlabelled
    keypoints = rng.uniform(-200, np.array(input_size) + 200, (3, 40, 2)).astype(np.float32)
    visible = rng.choice([0, 0.3, 0.7, 1], (3, 40)).astype(np.float32)
    heatmaps, weights = BatchedUDPHeatmap(input_size, heatmap_size, sigma).encode_batch(
        torch.from_numpy(keypoints), torch.from_numpy(visible)
    )
    upstream = MMPoseUDPHeatmap(input_size, heatmap_size, sigma=sigma)
    for i in range(3):
        expected = upstream.encode(keypoints[i : i + 1], visible[i : i + 1])
        np.testing.assert_allclose(heatmaps[i].numpy(), expected['heatmaps'], atol=1e-6)
        np.testing.assert_array_equal(weights[i].numpy(), expected['keypoint_weights'][0])


def _heatmaps(rng, kind, count=24):
    """Maps as models make them: clean, noisy, hardly visible, nothing but noise, out of range."""
    keypoints = rng.uniform(-20, [790, 1040], (1, count, 2)).astype(np.float32)
    codec = MMPoseUDPHeatmap((768, 1024), (192, 256), sigma=6)
    maps = codec.encode(keypoints, np.ones((1, count), np.float32))['heatmaps']
    noise = rng.normal(0, 1, maps.shape)
    return {
        'clean': maps,
        'noisy': 0.7 * maps + 0.01 * noise,
        'weak': 0.005 * maps + 0.0001 * noise,
        'large': 80 * maps,
        'at_corner': np.roll(maps, (-100, -100), (1, 2)) + 0.001 * noise,
    }[kind].astype(np.float32)


@pytest.mark.parametrize('kind', ['clean', 'noisy', 'weak', 'large', 'at_corner'])
def test_decoding_equals_upstream(rng, kind):
    maps = _heatmaps(rng, kind)
    arguments = ((768, 1024), (192, 256))
    expected, expected_scores = MMPoseUDPHeatmap(*arguments, sigma=6).decode(maps)
    points, scores = BatchedUDPHeatmap(*arguments, sigma=6).batch_decode(
        torch.from_numpy(maps)[None]
    )
    np.testing.assert_array_equal(scores[0], expected_scores)
    found = scores[0] > 0
    np.testing.assert_allclose(points[0][found], expected[found], atol=1e-3)


def _ridges(rng, count=60, width=48, height=64):
    """Maps whose maximum is a long ridge at any angle: the Hessian along it is nearly zero."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    maps = []
    for _ in range(count):
        angle, length = rng.uniform(0, np.pi), 10 ** rng.uniform(1.5, 3.5)
        x0, y0 = x - rng.uniform(14, width - 14), y - rng.uniform(14, height - 14)
        along = np.cos(angle) * x0 + np.sin(angle) * y0
        across = np.cos(angle) * y0 - np.sin(angle) * x0
        maps.append(0.8 * np.exp(-(across**2) / 18 - along**2 / (2 * length**2)))
    return np.stack(maps).astype(np.float32)


def test_a_nearly_singular_hessian_gives_upstreams_step(rng):
    maps = _ridges(rng)
    expected, _ = MMPoseUDPHeatmap((192, 256), (48, 64)).decode(maps.copy())
    points, _ = BatchedUDPHeatmap((192, 256), (48, 64)).batch_decode(torch.from_numpy(maps)[None])
    np.testing.assert_allclose(points[0], expected, atol=1e-3)
    peaks = np.stack(np.unravel_index(maps.reshape(60, -1).argmax(1), (64, 48))[::-1], axis=1)
    assert np.abs(expected[0] * (47 / 192, 63 / 256) - peaks).max() > 3  # the steps are long


def test_a_singular_hessian_leaves_its_peak_and_no_other(rng, monkeypatch):
    maps = torch.from_numpy(_ridges(rng, 8))
    peaks, scores = udp_decode.heatmap_maxima(maps)
    expected = udp_decode.refine_udp(maps, peaks, scores, 11)
    assert not (expected == peaks).all(dim=1).any()
    singular = 3

    def upstream(points, heatmaps, kernel_size, refine=udp_decode.refine_keypoints_dark_udp):
        if (heatmaps == maps[singular].numpy()).all(axis=(1, 2)).any():
            raise np.linalg.LinAlgError('Singular matrix')
        return refine(points, heatmaps, kernel_size)

    monkeypatch.setattr(udp_decode, 'refine_keypoints_dark_udp', upstream)
    monkeypatch.setattr(udp_decode, '_MOST_AMPLIFICATION', 0)  # every step is upstream's
    found = udp_decode.refine_udp(maps, peaks, scores, 11)
    expected[singular] = peaks[singular].float()
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-3)


def test_decoding_a_peak_in_each_corner():
    maps = np.zeros((4, 16, 12), np.float32)
    for index, (y, x) in enumerate([(0, 0), (0, 11), (15, 0), (15, 11)]):
        maps[index, y, x] = 1
        maps[index, 8, 6] = 0.3
    arguments = ((48, 64), (12, 16))
    expected, _ = MMPoseUDPHeatmap(*arguments).decode(maps)
    points, _ = BatchedUDPHeatmap(*arguments).batch_decode(torch.from_numpy(maps)[None])
    np.testing.assert_allclose(points[0], expected, atol=1e-3)


def test_the_general_path_equals_the_cpu_path(rng, monkeypatch):
    maps = torch.from_numpy(_heatmaps(rng, 'weak', 6))
    taps = udp_decode.gaussian_taps(11, maps.device)
    on_cpu = udp_decode._blurred_maxima(maps, taps)
    on_accelerator = udp_decode._blurred_maxima_by_convolution(maps, taps)
    torch.testing.assert_close(on_cpu, on_accelerator, rtol=1e-5, atol=0)


def test_a_map_without_a_peak_is_not_found():
    maps = torch.stack([torch.zeros(16, 12), torch.full((16, 12), -0.1)])[None]
    points, scores = BatchedUDPHeatmap((48, 64), (12, 16)).batch_decode(maps)
    np.testing.assert_allclose(points[0], np.full((1, 2, 2), [-48 / 11, -64 / 15]), rtol=1e-6)
    assert (scores[0] <= 0).all()


def test_a_subset_of_keypoints_is_decoded_alone(rng):
    maps = torch.from_numpy(_heatmaps(rng, 'noisy', 8))[None]
    codec = BatchedUDPHeatmap((768, 1024), (192, 256), sigma=6)
    points, scores = codec.batch_decode(maps)
    some, some_scores = codec.batch_decode(maps, keypoint_indices=[5, 2])
    np.testing.assert_allclose(
        some[0], points[0][:, [5, 2]], rtol=1e-6
    )  # torch 2.1 rounds by shape
    np.testing.assert_array_equal(some_scores[0], scores[0][:, [5, 2]])


def test_half_precision_maps_decode_near_the_full_ones(rng):
    maps = torch.from_numpy(_heatmaps(rng, 'clean', 8))[None]
    codec = BatchedUDPHeatmap((768, 1024), (192, 256), sigma=6)
    inside = codec.batch_decode(maps)[1][0] > 0.99
    full, half = codec.batch_decode(maps)[0][0], codec.batch_decode(maps.bfloat16())[0][0]
    # bfloat16 has 8 bits: the maximum may move within the flat top, the refinement brings it back
    assert np.abs(full - half)[inside].max() < 4


def test_golden_codec(golden):
    reference = golden('udp_codec')
    meta = reference['meta']
    codec = BatchedUDPHeatmap(
        meta['input_size'], meta['heatmap_size'], meta['sigma'], meta['blur_kernel_size']
    )
    heatmaps, weights = codec.encode_batch(
        torch.from_numpy(reference['keypoints']), torch.from_numpy(reference['visible'])
    )
    ids = reference['heatmap_ids']
    np.testing.assert_allclose(heatmaps[0, ids].numpy(), reference['heatmaps'], atol=1e-6)
    sums = heatmaps[0].double().sum(dim=(1, 2)).numpy()
    np.testing.assert_allclose(sums, reference['heatmap_sums'], rtol=1e-5, atol=1e-4)
    np.testing.assert_array_equal(weights.numpy(), reference['keypoint_weights'])

    points, scores = codec.batch_decode(torch.from_numpy(reference['decode_heatmaps'])[None])
    np.testing.assert_allclose(points[0], reference['decoded'], atol=1e-3)
    np.testing.assert_allclose(scores[0], reference['scores'], rtol=1e-5)


def test_settings_that_have_no_exact_meaning():
    with pytest.raises(
        ValueError, match=r'3 \* sigma must be a whole number of pixels, got sigma=1.5'
    ):
        BatchedUDPHeatmap((192, 256), (48, 64), sigma=1.5)
    with pytest.raises(ValueError, match='blur_kernel_size must be odd, got 10'):
        BatchedUDPHeatmap((192, 256), (48, 64), blur_kernel_size=10)
