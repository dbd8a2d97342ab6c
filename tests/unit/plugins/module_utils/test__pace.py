# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from math import inf

import pytest
from ansible_collections.simple_analytics.pipeline.plugins.module_utils import _pace
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._pace import Pace

from .conftest import Clock


@pytest.fixture(autouse=True)
def paced(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_pace, "time", clock)


@pytest.mark.parametrize("rates", [(500, 0), (0, 5000), (500, 5000), (600, 5000)])
def test_the_slower_of_both_rates_is_kept_to(clock: Clock, rates: tuple[int, int]) -> None:
    pace = Pace(*rates)
    for _ in range(20):
        assert pace.wait(100, 1000, inf)
    assert clock.now - 100 == pytest.approx(4)


def test_without_a_rate_nothing_waits(clock: Clock) -> None:
    Pace(0).wait(10**9, 10**9, inf)
    assert clock.now == 100


def test_a_pause_is_not_made_up_for_at_once(clock: Clock) -> None:
    pace = Pace(100)
    clock.now += 3600
    for _ in range(10):
        assert pace.wait(100, 0, inf)
    assert clock.now - 3700 == pytest.approx(9.8)


@pytest.mark.parametrize(
    "rates, most", [((0, 0), (500, 4000)), ((100, 5000), (20, 1000)), ((5000, 50000), (500, 4000))]
)
def test_no_more_is_sent_at_once_than_the_rate_allows_in_a_moment(
    rates: tuple[int, int], most: tuple[float, float]
) -> None:
    assert Pace(*rates).at_once(500, 4000) == most


def test_what_is_not_due_in_time_is_not_waited_for(clock: Clock) -> None:
    pace = Pace(1)
    assert [pace.wait(1, 0, 103) for _ in range(5)] == [True, True, True, False, False]
    assert clock.now == 103


def test_the_first_is_sent_however_little_time_there_is(clock: Clock) -> None:
    pace = Pace(1)
    assert [pace.wait(1, 0, 0), pace.wait(1, 0, 0)] == [True, False]
    assert clock.now == 101
