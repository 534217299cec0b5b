# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Non-finite losses and gradients skip the step, are named, and stop the run; autocast works."""

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from old_torch import needs_float16
from runs import launch
from torch import nn

from sapiens_train.optim import SapiensOptimWrapper


def wrapper(parameters, **options):
    return SapiensOptimWrapper(torch.optim.AdamW(parameters, lr=0.1), **options)


@pytest.fixture
def layer():
    torch.manual_seed(0)
    return nn.Linear(3, 1)


def steps(optim, layer, losses):
    """Weights after each loss factor."""
    history = []
    for factor in losses:
        with optim.optim_context(layer):
            loss = layer(torch.ones(2, 3)).square().mean() * factor
        optim.update_params(loss)
        history.append(layer.weight.detach().clone())
    return history


def test_equals_upstream_on_finite_values(layer):
    import copy

    twin = copy.deepcopy(layer)
    ours = steps(
        wrapper(layer.parameters(), clip_grad={'max_norm': 0.1}, accumulative_counts=2),
        layer,
        [1, 2, 3, 4],
    )
    optimizer = torch.optim.AdamW(twin.parameters(), lr=0.1)
    upstream = OptimWrapper(optimizer, accumulative_counts=2, clip_grad={'max_norm': 0.1})
    for a, b in zip(ours, steps(upstream, twin, [1, 2, 3, 4]), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize('bad', [float('nan'), float('inf')])
@pytest.mark.parametrize('clip', [None, {'max_norm': 1.0}, {'type': 'value', 'clip_value': 1.0}])
def test_bad_loss_skips_one_step(layer, bad, clip):
    optim = wrapper(layer.parameters(), clip_grad=clip)
    first, second, third = steps(optim, layer, [1, bad, 1])
    assert torch.equal(first, second)
    assert not torch.equal(second, third)
    assert torch.isfinite(third).all()
    assert optim.skipped_in_a_row == 0
    # The optimizer's own state has not seen the bad step.
    assert all(state['step'] == 2 for state in optim.optimizer.state.values())


def test_bad_micro_batch_spoils_its_whole_step_only(layer):
    optim = wrapper(layer.parameters(), accumulative_counts=2)
    history = steps(optim, layer, [1, 1, float('nan'), 1, 1, 1])
    assert torch.equal(history[1], history[3])
    assert not torch.equal(history[3], history[5])
    assert torch.isfinite(history[5]).all()


def test_too_many_in_a_row_stop_the_run(layer):
    optim = wrapper(layer.parameters(), max_skipped_steps=2)
    optim.describe_batch = lambda: ['a.jpg (sample 0)', 'b.jpg (sample 1)']
    nan = float('nan')
    steps(optim, layer, [nan, nan, 1, nan, nan])
    with pytest.raises(FloatingPointError, match='3 in a row.*loss not finite on rank 0') as error:
        steps(optim, layer, [nan])
    assert 'a.jpg (sample 0), b.jpg (sample 1)' in str(error.value)
    assert 'max_skipped_steps=2' in str(error.value)


@needs_float16
def test_state_round_trip(layer):
    optim = wrapper(layer.parameters(), dtype='float16', loss_scale=256.0)
    steps(optim, layer, [1, float('nan')])
    state = optim.state_dict()
    other = wrapper(nn.Linear(3, 1).parameters(), dtype='float16')
    other.load_state_dict(state)
    assert other.skipped_in_a_row == 1
    assert other.scaler.get_scale() == optim.scaler.get_scale() == 128
    plain = OptimWrapper(torch.optim.AdamW(layer.parameters(), lr=0.1))
    other.load_state_dict(plain.state_dict())
    assert other.skipped_in_a_row == 0


@pytest.mark.parametrize('dtype', ['bfloat16', pytest.param('float16', marks=needs_float16)])
def test_autocast(layer, dtype):
    optim = wrapper(layer.parameters(), dtype=dtype)
    with optim.optim_context(layer):
        output = layer(torch.ones(2, 3))
    assert output.dtype == getattr(torch, dtype)
    history = steps(optim, layer, [1] * 20)
    assert history[-1].dtype == torch.float32
    assert not torch.equal(history[0], history[-1])


def test_arguments_are_checked(layer):
    with pytest.raises(ValueError, match="dtype must be one of .*got 'half'"):
        wrapper(layer.parameters(), dtype='half')
    with pytest.raises(ValueError, match='error_if_nonfinite'):
        wrapper(layer.parameters(), clip_grad={'max_norm': 1.0, 'error_if_nonfinite': True})


def test_enable_amp_of_the_tools():
    config = Config({'optim_wrapper': {'type': 'OptimWrapper', 'optimizer': {'type': 'SGD'}}})
    launch.enable_amp(config, 'bf16')
    assert config.optim_wrapper.type == 'sapiens_train.SapiensOptimWrapper'
    assert config.optim_wrapper.dtype == 'bfloat16'
    launch.enable_amp(config, 'auto')
    assert config.optim_wrapper.dtype in ('float32', 'bfloat16', 'float16')


@pytest.mark.parametrize('kind', ['bad_loss', 'bad_gradient'])
def test_training_names_the_samples(toy, train, tmp_path, kind):
    config = toy.make_config(tmp_path, epochs=1, **{f'model.{kind}': [4]})
    runner = train(config)
    (message,) = [m for m in runner.messages if 'step skipped' in m]
    for value in runner.model.seen[4]:
        assert f'image_{int(value)}.jpg (sample {int(value)})' in message
    assert all(torch.isfinite(value).all() for value in runner.model.state_dict().values())


def test_nan_sample_in_the_data(toy, train, tmp_path):
    config = toy.make_config(tmp_path, epochs=2, **{'train_dataloader.dataset.nan': [7]})
    runner = train(config)
    messages = [m for m in runner.messages if 'step skipped' in m]
    assert len(messages) == 2
    assert all('image_7.jpg (sample 7)' in message for message in messages)


def test_skips_resume_exactly(toy, train, tmp_path):
    options = {'train_dataloader.dataset.nan': [7]}
    options['checkpoint'] = {'interval': 1, 'by_epoch': False}
    whole = train(toy.make_config(tmp_path / 'whole', **options))
    train(toy.make_config(tmp_path / 'cut', **options), stop_after=13)
    resumed = train(toy.make_config(tmp_path / 'cut', resume=True, **options))
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name])
