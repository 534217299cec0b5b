# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
import pytest
from mmengine.registry import DefaultScope

from sapiens_depth_normal.evaluation.framings import FramingMetric


@pytest.fixture(autouse=True)
def _scope(_own_default_scope):
    """The dense configs' default scope."""
    with DefaultScope.overwrite_default_scope('mmseg'):
        yield


@pytest.fixture(autouse=True)
def _figures_are_known_beforehand(monkeypatch):
    """What a metric says it gives, by which `save_best` is checked, is what it gives."""
    compute = FramingMetric.compute_metrics

    def compute_and_compare(self, results):
        figures = compute(self, results)
        assert all(self.gives(name) for name in figures)
        return figures

    monkeypatch.setattr(FramingMetric, 'compute_metrics', compute_and_compare)
