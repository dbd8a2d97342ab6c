# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from datetime import UTC, datetime
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._errors import PipelineError
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._reindex import Index
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._restore import (
    BEGIN,
    FOLLOW,
    NOTHING,
    Place,
    Shard,
    Snapshot,
)
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._restoring import Cluster
from ansible_collections.simple_analytics.pipeline.plugins.modules.elasticsearch_restore import run

SNAPSHOT = Snapshot("one", "u", "SUCCESS", datetime(2026, 11, 27, tzinfo=UTC), dict.fromkeys("abcd", 100))


def cluster(lacking: list[Shard]) -> Mock:
    """Four indices: one is restored, one is on its way, and two have not begun."""
    steps = {"a": BEGIN, "b": NOTHING, "c": FOLLOW, "d": BEGIN}
    living = Index("living", "x", {}, {}, {})
    places = [Place(index, f"new-{index}", living, step, is_searched=True) for index, step in steps.items()]
    return Mock(
        spec=Cluster,
        snapshot=Mock(return_value=SNAPSHOT),
        places=Mock(return_value=places),
        lacking=Mock(return_value=lacking),
        restored_bytes=Mock(return_value=40),
        is_snapshotting=Mock(return_value=False),
    )


def restore(cluster: Mock, check_mode: bool = False, parallel: int = 2) -> dict[str, t.Any]:
    module = SimpleNamespace(check_mode=check_mode, params={"snapshot": None, "parallel": parallel})
    result: dict[str, t.Any] = run(module, cluster)
    return result


def states(result: dict[str, t.Any]) -> str:
    return " ".join(index["state"] for _, index in sorted(result["indices"].items()))


def begun(cluster: Mock) -> str:
    return "".join(call.args[0].index for call in cluster.begin.call_args_list)


def test_what_has_begun_is_followed_and_no_more_begin_than_may_be_on_the_way() -> None:
    fake = cluster([Shard(0, False, "")])
    result = restore(fake)
    assert (begun(fake), states(result)) == ("a", "restoring same restoring waiting")
    assert (result["changed"], result["done"], result["bytes"], result["restored"]) == (True, False, 400, 180)
    assert result["summary"] == "1 of 4 indices restored from one, 2 restoring, 1 waiting; 180.00 Bytes of 400.00 Bytes"


def test_one_that_is_whole_takes_its_place() -> None:
    fake = cluster([])
    result = restore(fake, parallel=1)
    assert [call.args[0].index for call in fake.settle.call_args_list] == ["c"]
    assert (begun(fake), states(result)) == ("a", "restoring same restored waiting")


def test_none_at_once_is_refused() -> None:
    with pytest.raises(PipelineError, match="parallel 0 lets nothing begin"):
        restore(cluster([]), parallel=0)


def test_a_check_touches_nothing() -> None:
    fake = cluster([])
    result = restore(fake, check_mode=True)
    assert (fake.begin.called, fake.settle.called, result["changed"]) == (False, False, True)
    assert states(result) == "waiting same waiting waiting"
    assert result["diff"]["after"] == {"a": "new-a", "c": "new-c", "d": "new-d"}


def test_none_takes_its_place_while_a_snapshot_is_taken() -> None:
    fake = cluster([])
    fake.is_snapshotting.return_value = True
    assert states(restore(fake)) == "restoring same restoring waiting"
    assert not fake.settle.called


def test_one_that_the_cluster_has_given_up_is_named_when_the_others_are_there() -> None:
    fake = cluster([Shard(0, True, "failed: corrupt.")])
    result = restore(fake)
    assert (states(result), result["done"]) == ("restoring same lost restoring", False)
    assert not fake.give_up.called
    fake.places.return_value = fake.places.return_value[1:3]
    with pytest.raises(PipelineError, match=r"c cannot be restored from one: shard 0: failed: corrupt\. All others"):
        restore(fake)
    assert [call.args[0].index for call in fake.give_up.call_args_list] == ["c"]
    assert not fake.settle.called
