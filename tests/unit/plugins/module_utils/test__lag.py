# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from unittest.mock import Mock

import pytest
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._lag import is_quiet, lags, longest
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._leases import Lease, Position
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._stream import Record, Stream


def test_it_is_the_age_of_the_record_that_comes_next() -> None:
    checkpoints = {"behind": "200", "ahead": "300", "ended": "SHARD_END", "new": "LATEST", "expired": "7"}
    leases = {name: Lease(name, Position(text), 1, None, None, {}) for name, text in checkpoints.items()}
    waiting = Record("201", datetime.now(UTC) - timedelta(seconds=10))
    stream = Mock(spec=Stream, first=lambda shard, _: waiting if shard == "behind" else None)
    stream.shards.return_value = checkpoints.keys() - {"expired"}
    expected = {"ahead": 0, "ended": 0, "new": None, "expired": None}
    assert lags(leases, stream) == {"behind": pytest.approx(10_000, abs=2000), **expected}


@pytest.mark.parametrize(
    ("lag_seconds", "newer", "expected"),
    [(600, False, True), (600, True, False), (60, False, False)],
    ids=["nothing came after it", "more came later", "too early to tell"],
)
def test_a_stream_is_quiet_when_nothing_came_after_what_waits(lag_seconds: int, newer: bool, expected: bool) -> None:
    stream, now = Mock(spec=Stream), datetime.now(UTC)
    stream.first_since.return_value = Record("9", now) if newer else None
    assert is_quiet({"late": lag_seconds * 1000, "done": 0, "new": None}, stream) is expected
    asked = [(call.args[0], (now - call.args[1]).total_seconds()) for call in stream.first_since.call_args_list]
    assert asked == ([("late", pytest.approx(lag_seconds - 120, abs=2))] if lag_seconds > 120 else [])


def test_one_of_which_all_is_checkpointed_is_not_said_to_be_quiet() -> None:
    assert not is_quiet({"done": 0}, Mock(spec=Stream))


@pytest.mark.parametrize("found, expected", [([], None), ([None], None), ([None, 0, 5], 5)])
def test_the_longest_is_that_of_those_that_are_known(found: list[int | None], expected: int | None) -> None:
    assert longest(found) == expected
