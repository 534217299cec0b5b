# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""A student learns from a teacher, and its checkpoint knows nothing of that."""

import copy

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmengine.structures import InstanceData, PixelData
from mmpose.structures import PoseDataSample
from mmseg.structures import SegDataSample

from sapiens_common.checkpoint import read_checkpoint
from sapiens_common.weights import find_weights
from sapiens_inference.engine.models import build_model
from sapiens_multitask.distillation import PairwiseSimilarityLoss, SoftLabelLoss

SIZE = (128, 96)


@pytest.fixture
def recipe(root):
    """`recipe(task)`: the config of a shipped recipe with a teacher."""

    def read(task):
        return Config.fromfile(root / f'configs/{task}/cspnext_tiny_synthetic_distilled.py')

    return read


def build(config):
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope(config.default_scope):
        return MODELS.build(config.model)


def batch(task):
    """Two images of noise with labels, normalised."""
    torch.manual_seed(1)
    samples = []
    for _ in range(2):
        if task == 'pose':
            sample = PoseDataSample()
            points, weights = (
                torch.rand(1, 308, 2) * torch.tensor([95.0, 127.0]),
                torch.ones(1, 308),
            )
            sample.gt_instance_labels = InstanceData(keypoints=points, keypoint_weights=weights)
        else:
            sample = SegDataSample(metainfo={'img_shape': SIZE, 'ori_shape': SIZE})
            sample.gt_sem_seg = PixelData(data=torch.randint(0, 28, (1, *SIZE)))
        samples.append(sample)
    return torch.randn(2, 3, *SIZE), samples


def test_features_do_not_drown_the_heatmaps(recipe):
    """Squares of heatmaps are small; what counts is what a loss does to the encoder."""
    model = build(recipe('pose')).train()
    losses = model(*batch('pose'), mode='loss')
    encoder = list(model.backbone.parameters())
    steps = {}
    for name, loss in losses.items():
        if 'loss' in name:
            gradients = torch.autograd.grad(loss, encoder, retain_graph=True)
            steps[name] = torch.cat([gradient.flatten() for gradient in gradients]).norm()
    features = steps.pop('loss_distill_features')
    assert 0 < features < 2 * max(steps.values()), steps


STUDENTS = {
    'mmpretrain.ConvNeXt': (
        dict(arch=dict(depths=[1] * 4, channels=[8, 8, 16, 24]), gap_before_final_norm=False),
        24,
    ),
    'sapiens_pretrain.SapiensViT': (
        dict(
            arch=dict(embed_dims=32, num_layers=1, num_heads=2, feedforward_channels=64),
            img_size=SIZE,
        ),
        32,
    ),
}


@pytest.mark.parametrize('encoder', STUDENTS)
def test_students_of_upstream_and_ours(encoder, recipe):
    config = recipe('seg')
    options, channels = STUDENTS[encoder]
    config.model.backbone = dict(type=encoder, **options)
    config.model.decode_head.in_channels = channels
    model = build(config).train()
    losses = model(*batch('seg'), mode='loss')
    sum(value for name, value in losses.items() if 'distill' in name).backward()
    first = next(p for p in model.backbone.parameters() if p.requires_grad and p.ndim > 1)
    assert first.grad.any()


@pytest.mark.parametrize('task', ['depth', 'normal'])
def test_regressors(task, recipe):
    inputs, _ = batch('seg')
    samples = []
    for _ in inputs:
        sample = SegDataSample(metainfo={'img_shape': SIZE, 'ori_shape': SIZE})
        sample.gt_depth_map = PixelData(data=torch.rand(1, *SIZE) + 0.1)
        sample.gt_normal_map = PixelData(
            data=torch.nn.functional.normalize(torch.randn(3, *SIZE), dim=0)
        )
        sample.gt_mask = PixelData(data=torch.ones(1, *SIZE, dtype=torch.uint8))
        samples.append(sample)
    losses = build(recipe(task)).train()(inputs, samples, mode='loss')
    assert {'loss_distill_features', 'loss_distill_output'} < set(losses)
    assert all(value > 0 for name, value in losses.items() if 'distill' in name)


@pytest.mark.parametrize('task', ['pose', 'seg'])
def test_the_student_learns_and_the_teacher_does_not(task, recipe):
    config = recipe(task)
    model = build(config).train()
    inputs, samples = batch(task)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    history = []
    for _ in range(4):
        losses = model(inputs, samples, mode='loss')
        taught = [value for name, value in losses.items() if 'distill' in name]
        assert len(taught) == 2  # features and outputs
        history.append(sum(taught).item())
        optimizer.zero_grad()
        sum(value for name, value in losses.items() if 'loss' in name).backward()
        optimizer.step()
        teacher = model.teacher(inputs.device)
        assert not any(module.training for module in teacher.modules())
        assert all(value.grad is None for value in teacher.parameters())
    assert history[-1] < 0.9 * history[0], history
    published = read_checkpoint(find_weights('sapiens_tiny/multitask_synthetic')).state_dict
    for name, value in teacher.backbone.state_dict().items():
        assert torch.equal(value, published[f'backbone.{name}'].float())

    # The checkpoint is that of the recipe without a teacher.
    plain = copy.deepcopy(config)
    plain.model.pop('distillation')
    plain.model.type = {
        'pose': 'mmpose.TopdownPoseEstimator',
        'seg': 'sapiens_seg.BodyPartSegmentor',
    }[task]
    ordinary = build_model(plain)
    ordinary.load_state_dict(model.state_dict(), strict=True)
    model.eval(), ordinary.eval()
    with torch.no_grad():
        torch.testing.assert_close(
            model(inputs, None, mode='tensor'), ordinary(inputs, None, mode='tensor')
        )


def test_a_model_that_only_predicts_has_no_teacher(recipe):
    config = recipe('seg')
    config.model.distillation.teacher = dict(model='of another machine', weights='lost.pth')
    model = build_model(config).eval()
    model(torch.randn(1, 3, *SIZE), None, mode='tensor')
    with pytest.raises(ValueError, match=r'of another machine|lost\.pth'):
        model(*batch('seg'), mode='loss')


def test_teachers_of_other_widths_sizes_and_classes(recipe, tmp_path, root):
    """A teacher of the second generation with 29 classes and a larger input: by features, and not by outputs."""
    teacher = Config.fromfile(root / 'configs/seg/sapiens2_tiny_synthetic.py')
    teacher.model.backbone.img_size = (192, 144)
    weights = tmp_path / 'teacher.pth'
    torch.save({'state_dict': build_model(teacher).state_dict()}, weights)
    config = recipe('seg')
    teacher.dump(tmp_path / 'teacher.py')
    config.model.distillation.teacher = dict(
        model=str(tmp_path / 'teacher.py'), weights=str(weights)
    )
    with pytest.raises(ValueError, match='student has 28 channels of output, the teacher 29'):
        build(config)(*batch('seg'), mode='loss')
    config.model.distillation.outputs = None
    losses = build(config)(*batch('seg'), mode='loss')
    assert losses['loss_distill_features'] > 0 and 'loss_distill_output' not in losses


def test_several_tasks(recipe):
    config = recipe('multitask')
    model = build(config)
    inputs, samples = batch('pose')
    for sample in samples:
        sample.gt_sem_seg = PixelData(data=torch.randint(0, 28, (1, *SIZE)))
        sample.gt_depth_map = PixelData(data=torch.rand(1, *SIZE) + 0.1)
        sample.gt_normal_map = PixelData(
            data=torch.nn.functional.normalize(torch.randn(3, *SIZE), dim=0)
        )
        sample.gt_mask = PixelData(data=torch.ones(1, *SIZE, dtype=torch.uint8))
        sample.gt_matting_map = PixelData(data=torch.rand(4, *SIZE).round())
    losses = model(inputs, samples, mode='loss')
    named = {name for name in losses if 'distill' in name}
    tasks = ('features', 'pose', 'seg', 'depth', 'normal', 'matting')
    assert named == {f'loss_distill_{name}' for name in tasks}
    assert {'pose.loss_kpt', 'seg.decode.loss_ce'} <= set(losses)
    config.model.distillation.outputs = dict(albedo=dict(type='mmpose.L1Loss'))
    with pytest.raises(ValueError, match="names 'albedo'; the student has \\['pose', 'seg'"):
        build(config)(inputs, samples, mode='loss')


def test_soft_labels_against_their_definition():
    rng = np.random.default_rng(0)
    student, teacher = rng.normal(size=(2, 2, 5, 3, 4))
    p, q = (np.exp(x / 2) / np.exp(x / 2).sum(1, keepdims=True) for x in (student, teacher))
    expected = 3 * 4 * (q * np.log(q / p)).sum(1).mean()
    loss = SoftLabelLoss(temperature=2.0, loss_weight=3.0)
    found = loss(torch.from_numpy(student), torch.from_numpy(teacher))
    assert found.item() == pytest.approx(expected)
    assert loss(torch.from_numpy(teacher), torch.from_numpy(teacher)).item() == pytest.approx(0)


def test_similarities_do_not_depend_on_channels():
    torch.manual_seed(0)
    loss = PairwiseSimilarityLoss(grid=(4, 3))
    features = torch.randn(2, 6, 8, 6)
    turn = torch.linalg.qr(torch.randn(9, 6))[0]  # the same cosines in nine channels
    turned = torch.einsum('dc,bchw->bdhw', turn, features)
    assert loss(turned, features).item() == pytest.approx(0, abs=1e-10)
    assert loss(torch.randn(2, 9, 4, 3), features).item() > 1e-2
    # Two places that are alike for the teacher and opposite for the student: two of four pairs differ by 2.
    alike, opposite = torch.ones(1, 1, 1, 2), torch.tensor([[[[1.0, -1.0]]]])
    assert PairwiseSimilarityLoss(grid=(1, 2))(opposite, alike).item() == pytest.approx(2)
