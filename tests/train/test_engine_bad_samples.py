# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Broken training samples are replaced, counted and named; too many stop the run."""

import numpy as np
import pytest
import torch

from sapiens_train.data import SeededDataset, describe_sample
from sapiens_train.seeding import derive_seed, find_private_generators


@pytest.mark.parametrize('workers', [0, 2])
def test_broken_samples_are_replaced_and_reported(toy, train, tmp_path, workers):
    options = {'train_dataloader.dataset.broken': [3, 17], 'epochs': 2}
    runner = train(toy.make_config(tmp_path, workers=workers, **options))
    seen = [value for batch in runner.model.seen for value in batch]
    assert len(seen) == 44
    assert not {3.0, 17.0} & set(seen)
    (report,) = [m for m in runner.messages if 'could not be read and were replaced' in m][:1]
    assert '2 of 22 training samples' in report
    assert 'image_3.jpg (sample 3): ValueError: image_3.jpg is truncated' in report
    assert sum('training sample replaced' in m for m in runner.messages) == 2


def test_replacement_does_not_depend_on_workers_or_resume(toy, train, tmp_path):
    options = {'train_dataloader.dataset.broken': [3, 17], 'train_dataloader.dataset.refetch': [5]}
    options['checkpoint'] = {'interval': 1, 'by_epoch': False}
    whole = train(toy.make_config(tmp_path / 'whole', **options))
    train(toy.make_config(tmp_path / 'cut', workers=2, **options), stop_after=16)
    resumed = train(toy.make_config(tmp_path / 'cut', resume=True, **options))
    assert resumed.model.seen == whole.model.seen[16:]


def test_too_many_stop_the_run(toy, train, tmp_path):
    options = {'train_dataloader.dataset.broken': [1, 2, 3], 'bad_samples.max_share': 0.1}
    with pytest.raises(ValueError, match='3 of 22 training samples are broken') as error:
        train(toy.make_config(tmp_path, epochs=1, **options))
    assert 'image_2.jpg (sample 2): ValueError' in str(error.value)
    assert 'bad_samples.max_share' in str(error.value)


def test_everything_broken_stops_at_the_first_sample(toy, train, tmp_path):
    options = {'train_dataloader.dataset.broken': list(range(22)), 'bad_samples.max_share': 1.0}
    with pytest.raises(ValueError, match='11 samples in a row could not be read.*is truncated'):
        train(toy.make_config(tmp_path, **options))


def test_share_is_checked(toy, train, tmp_path):
    with pytest.raises(ValueError, match=r'max_share must lie in \[0, 1\], got 3'):
        train(toy.make_config(tmp_path, **{'bad_samples.max_share': 3}))


def test_iterable_dataset_is_refused(toy, train, tmp_path):
    class Stream(torch.utils.data.IterableDataset):
        def __iter__(self):
            yield 1

    config = toy.make_config(tmp_path)
    loader = torch.utils.data.DataLoader(Stream(), batch_size=1)
    from sapiens_train.data import ResumableDataLoader

    with pytest.raises(ValueError, match='Stream cannot be resumed'):
        ResumableDataLoader(loader, 0, 0.1)
    assert config.model.type == 'ToyModel'


def test_wrapper_passes_attributes_on(toy):
    wrapped = SeededDataset(toy.ToyDataset(metainfo={'classes': ('a',)}))
    assert wrapped.metainfo == {'classes': ('a',)}
    assert len(wrapped) == 22
    with pytest.raises(AttributeError):
        wrapped.nothing  # noqa: B018


def test_sample_names(toy):
    assert describe_sample(toy.ToyDataset(), 4) == 'image_4.jpg (sample 4)'
    assert describe_sample([1, 2], 1) == 'sample 1'


def test_private_generators_are_found_and_seeded():
    from mmengine.dataset import Compose

    class Private:
        def set_random_seed(self, seed):
            self.generator = np.random.default_rng(seed)

    class Transform:
        def __init__(self):
            self.aug = Private()

        def transform(self, results):
            return {'value': float(self.aug.generator.random())}

        __call__ = transform

    class Numbers:
        pipeline = Compose([Transform(), dict])

        def __len__(self):
            return 5

        def __getitem__(self, index):
            return self.pipeline({})

    from sapiens_train.data import SampleKey

    class Wrapper:
        def __init__(self):
            self.datasets = [Numbers()]

    assert len(find_private_generators(Wrapper())) == 1
    dataset = SeededDataset(Numbers())
    first, again, other = (dataset[SampleKey(0, seed)].data['value'] for seed in (1, 1, 2))
    assert first == again != other


def test_albumentations_is_seeded():
    albumentations = pytest.importorskip('albumentations')
    compose = albumentations.Compose([albumentations.GaussNoise(p=1)])
    image = np.full((8, 8, 3), 128, np.uint8)

    class Images:
        pipeline = [type('T', (), {'transform': lambda self, r: r})()]

        def __len__(self):
            return 1

        def __getitem__(self, index):
            return compose(image=image)['image']

    Images.pipeline[0].aug = compose
    from sapiens_train.data import SampleKey

    dataset = SeededDataset(Images())
    first, again, other = (dataset[SampleKey(0, seed)].data for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_seeds_differ():
    seeds = {derive_seed(1, a, b) for a in range(50) for b in range(50)}
    assert len(seeds) == 2500
    assert derive_seed(1, 2) != derive_seed(2, 1)


@pytest.mark.parametrize('loop', [{'epochs': 2}, {'iters': 3}])
def test_a_set_smaller_than_a_batch_is_refused(toy, train, tmp_path, loop):
    # The epoch loop would train on nothing, the other would wait for the first batch for ever.
    config = toy.make_config(tmp_path, batch=8, **loop)
    config.train_dataloader.update(drop_last=True, sampler={'type': 'DefaultSampler'})
    config.train_dataloader.dataset.count = 5
    with pytest.raises(
        ValueError, match=r'has 5 samples, which make no batch .batch_size=8, drop_last=True'
    ):
        train(config)
