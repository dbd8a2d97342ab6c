# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from unittest.mock import Mock

import pytest
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._lag import lags, longest
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


@pytest.mark.parametrize("found, expected", [([], None), ([None], None), ([None, 0, 5], 5)])
def test_the_longest_is_that_of_those_that_are_known(found: list[int | None], expected: int | None) -> None:
    assert longest(found) == expected
