# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The simulation of labelling on a cluster agrees with what can be worked out by hand."""

import pytest
from benchmarks.annotate_cluster import Cluster, simulate, table

QUIET = Cluster(workers=10, slow_share=0, days_between_failures=1e9)


def test_without_faults_all_workers_are_busy():
    found = simulate(10_000, 60, QUIET)
    assert found.seconds == pytest.approx(60 * 1000, rel=0.01)
    assert (found.lost, found.wasted) == (0, 0)


def test_one_shard_takes_as_long_as_a_straggler():
    slow = Cluster(workers=10, slow_share=1, slowness=4, days_between_failures=1e9)
    assert 0.8 * 240 <= simulate(1, 60, slow).seconds <= 1.2 * 240


def test_losses_are_as_many_as_the_rate_says():
    cluster = Cluster(workers=100, slow_share=0, days_between_failures=1 / 24, restart=0)
    found = simulate(20_000, 60, cluster)
    hours = found.seconds / 3600
    assert found.lost == pytest.approx(100 * hours, rel=0.1)
    # Half a shard of a minute is lost each time.
    assert found.wasted == pytest.approx(found.lost * 0.5 / 20_000, rel=0.1)
    assert found.seconds == pytest.approx(20_000 * 60 * (1 + found.wasted) / 100, rel=0.02)


def test_table_of_a_report():
    report = {'images_per_second_of_worker': 10, 'bytes_per_image': 1e5}
    column = table(report, 1e6, 500, QUIET, speedup=2)
    assert column['shards'] == 2000
    assert column['output, GB'] == 100
    assert column['worker hours'] == pytest.approx(1e6 / 20 / 3600, abs=0.05)
    assert column['days, simulated'] == pytest.approx(1e6 / 200 / 86400, rel=0.05, abs=1e-3)
