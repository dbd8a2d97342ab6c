# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This util is PRIVATE to the collection: it may change or go without notice.

"""How far behind a consumer is."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from ansible_collections.simple_analytics.pipeline.plugins.module_utils._aws import side_by_side
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._leases import (
    AT_TIMESTAMP,
    LATEST,
    SHARD_END,
    Lease,
)
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._stream import Stream

# Twice what Logstash's input has between two checkpoints, for the time that they take.
INTERVAL = timedelta(minutes=2)
# Where a consumer begins that has done nothing yet: neither says which record comes first.
UNKNOWN = {AT_TIMESTAMP, LATEST}


def lags(leases: Mapping[str, Lease], stream: Stream) -> dict[str, int | None]:
    """For how many milliseconds each shard's oldest record that is not checkpointed has waited, where that is known."""
    listed = stream.shards()  # a row outlives its shard
    reading = [
        shard
        for shard, lease in leases.items()
        if shard in listed and lease.position.checkpoint not in {SHARD_END, *UNKNOWN}
    ]
    waiting = side_by_side(lambda shard: stream.first(shard, leases[shard].position.iterator), reading)
    now = datetime.now(UTC)
    found: dict[str, int | None] = {}
    for shard, lease in leases.items():
        record = waiting.get(shard)
        since = round((now - record.arrival).total_seconds() * 1000) if record else 0
        found[shard] = None if lease.position.checkpoint in UNKNOWN or shard not in listed else since
    return found


def is_quiet(found: Mapping[str, int | None], stream: Stream) -> bool:
    """Whether all that waits came within one interval of checkpoints, and nothing after it.

    A worker that checkpoints only when records come has most likely done it.
    """
    now = datetime.now(UTC)
    waiting = {shard: now - timedelta(milliseconds=lag) + INTERVAL for shard, lag in found.items() if lag}
    settled = {shard: moment for shard, moment in waiting.items() if moment < now}
    newer = side_by_side(lambda shard: stream.first_since(shard, settled[shard]), settled)
    return bool(settled) and settled.keys() == waiting.keys() and not any(newer.values())


def longest(found: t.Iterable[int | None]) -> int | None:
    """That of the shard which is furthest behind."""
    return max((lag for lag in found if lag is not None), default=None)
