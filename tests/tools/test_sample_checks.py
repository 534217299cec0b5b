# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Every sample is tried, problems are listed by name, and the sheet shows image and targets."""

import numpy as np
import torch
from data_checks.samples import audit_samples, draw_sample, sample_sheet
from mmengine.structures import BaseDataElement, InstanceData, PixelData


class Samples:
    metainfo = {
        'palette': [(0, 0, 0), (255, 0, 0)],
        'keypoint_id2name': {0: 'left_hip', 1: 'left_knee'},
        'skeleton_links': [(0, 1)],
        'skeleton_link_colors': np.array([[0, 0, 255]]),
    }

    def __init__(self, count=10, broken=()):
        self.count, self.broken = count, broken

    def __len__(self):
        return self.count

    def get_data_info(self, index):
        return {'img_path': f'image_{index}.jpg'}

    def __getitem__(self, index):
        if index in self.broken:
            raise ValueError('expected an image, got nothing')
        sample = BaseDataElement()
        sample.gt_instance_labels = InstanceData(
            keypoints=torch.tensor([[[5.0, 5.0], [20.0, 20.0]]]), keypoint_weights=torch.ones(1, 2)
        )
        sample.gt_sem_seg = PixelData(data=torch.ones(1, 64, 48, dtype=torch.long))
        sample.gt_depth_map = PixelData(data=torch.rand(1, 32, 24))
        normal = torch.zeros(3, 64, 48)
        normal[2] = 1
        sample.gt_normal_map = PixelData(data=normal)
        return {'inputs': torch.full((3, 64, 48), 90, dtype=torch.uint8), 'data_samples': sample}


def test_problems_are_listed_by_name():
    for workers in (0, 2):
        audit = audit_samples(Samples(broken=(3, 7)), workers)
        assert audit.report == '10 samples, 2 cannot be read'
        assert audit.problems == [
            f'image_{i}.jpg (sample {i}): ValueError: expected an image, got nothing'
            for i in (3, 7)
        ]


def test_a_sample_shows_all_its_targets():
    picture = draw_sample(Samples()[0], Samples())
    assert picture.shape == (64, 4 * 48, 3)  # image, labels, depth, normals
    image, labels, _, normals = np.split(picture, 4, axis=1)
    assert (image != 90).any()  # the skeleton
    assert (labels == (0, 0, 255)).all()  # red, BGR
    assert (normals == (255, 128, 128)).all()


def test_a_plain_image_is_shown_alone():
    packed = {'inputs': torch.zeros(3, 16, 8)}
    assert draw_sample(packed, object()).shape == (16, 8, 3)


def test_sheet_leaves_broken_samples_out():
    assert sample_sheet(Samples(broken=(3, 7)), count=4).dtype == np.uint8
    assert sample_sheet(Samples(3, broken=(0, 1, 2))) is None
    first, again = (sample_sheet(Samples(), count=2, seed=5) for _ in range(2))
    assert np.array_equal(first[..., 0] > 0, again[..., 0] > 0)


def test_the_seed_reaches_generators_that_transforms_own():
    class Noise:
        """As albumentations: draws from a generator of its own."""

        def __init__(self):
            self.rng = np.random.default_rng()

        def set_random_seed(self, seed):
            self.rng = np.random.default_rng(seed)

    class Noisy(Samples):
        def __init__(self):
            super().__init__()
            self.pipeline = [Noise()]

        def __getitem__(self, index):
            image = self.pipeline[0].rng.integers(0, 256, (3, 8, 8), dtype=np.uint8)
            return {'inputs': torch.from_numpy(image)}

    first, again, other = (sample_sheet(Noisy(), 4, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
