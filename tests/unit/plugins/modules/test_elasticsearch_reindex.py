# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._errors import PipelineError
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._reindex import (
    Asked,
    Failure,
    Family,
    Task,
    families,
)
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._reindexing import BrokenError, Cluster
from ansible_collections.simple_analytics.pipeline.plugins.modules.elasticsearch_reindex import run

OLD, NEW = {"properties": {"n": {"type": "long"}}}, {"properties": {"n": {"type": "integer"}}}
ASKED = Asked({}, NEW)
HALF = "day-2-000001"


def index(uuid: str, mappings: dict[str, t.Any], /, **mark: object) -> dict[str, t.Any]:
    meta = {"_meta": {"reindex": {"asked": ASKED.digest, "done": False, **mark}}} if mark else {}
    return {"aliases": {}, "mappings": {**mappings, **meta}, "settings": {"index": {"uuid": uuid}}}


def cluster(task: Task, newer: int = 0) -> Mock:
    """Three days: one that is as asked, one that is being copied, and one that has not begun."""
    found = {
        "day-1": index("a", NEW),
        "day-2": index("b", OLD),
        HALF: index("c", NEW, uuid="b", task="node:1"),
        "day-3": index("d", OLD),
    }
    return Mock(
        spec=Cluster,
        families=Mock(return_value=families(found)),
        asked=Mock(return_value=ASKED),
        sizes=Mock(side_effect=lambda names: dict.fromkeys(names, (100, 7))),
        task=Mock(return_value=task),
        newer=Mock(return_value=newer),
        is_snapshotting=Mock(return_value=False),
    )


def reindex(cluster: Mock, check_mode: bool = False, **params: object) -> tuple[dict[str, t.Any], list[BrokenError]]:
    given: dict[str, t.Any] = {"source": ["day-*"], "first": None, "last": None, "parallel": 2, "keep_source": True}
    given |= {"rate": 0, "slices": "auto", "query": None, **params}
    module = SimpleNamespace(check_mode=check_mode, params=given)
    result: tuple[dict[str, t.Any], list[BrokenError]] = run(module, cluster)
    return result


def named(call: Mock) -> list[str]:
    return [each.args[0].name for each in call.call_args_list if isinstance(each.args[0], Family)]


def states(result: dict[str, t.Any]) -> dict[str, str]:
    return {name: found["state"] for name, found in result["indices"].items()}


def test_what_has_begun_is_followed_and_the_next_begins() -> None:
    fake = cluster(Task("running", total=50, done=20))
    result, broken = reindex(fake)
    assert (named(fake.create), fake.throttle.call_count, broken) == (["day-3"], 1, [])
    assert states(result) == {"day-1": "same", "day-2": "copying", "day-3": "copying"}
    assert (result["changed"], result["done"], result["documents"], result["copied"]) == (True, False, 300, 170)
    assert result["summary"] == "1 of 3 indices as asked, 2 copying; 170 of 300 documents"


def test_no_more_begin_than_may_run_at_once() -> None:
    fake = cluster(Task("running"))
    result, _ = reindex(fake, parallel=1)
    assert (named(fake.create), states(result)["day-3"]) == ([], "waiting")


def test_the_names_are_those_of_what_is_made_in_place_of_another() -> None:
    fake = cluster(Task("running"))
    fake.asked.return_value = Asked({}, {"properties": {}})
    result, _ = reindex(fake, last="day-2", first="day-2")
    assert (fake.discard.call_count, result["indices"]["day-2"]["target"]) == (1, "day-2-000003")


def test_a_range_without_an_index_is_an_error() -> None:
    with pytest.raises(PipelineError, match="no such index from day-4 to the last"):
        reindex(cluster(Task("running")), first="day-4")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [({"parallel": 0}, "parallel 0"), ({"rate": -7}, "rate -7"), ({"slices": "0"}, "slices '0'")],
)
def test_what_is_no_number_is_refused_first(options: dict[str, t.Any], complaint: str) -> None:
    fake = cluster(Task("running"))
    with pytest.raises(PipelineError, match=complaint):
        reindex(fake, **options)
    assert not fake.families.called


def test_none_is_switched_while_a_snapshot_is_taken() -> None:
    fake = cluster(Task("ended"))
    fake.is_snapshotting.return_value = True
    result, _ = reindex(fake, last="day-2")
    assert (named(fake.settle), states(result)["day-2"], result["done"]) == ([], "copying", False)


def test_one_that_is_copied_is_switched() -> None:
    fake = cluster(Task("ended"))
    result, _ = reindex(fake, last="day-2")
    assert named(fake.settle) == ["day-2"]
    assert result["indices"]["day-2"] == {
        "state": "switched",
        "documents": 100,
        "target": HALF,
        "kept": "day-2-000000",
    }
    assert (result["done"], result["changed"]) == (True, True)


def test_a_pass_that_broke_waits_for_the_others() -> None:
    fake = cluster(Task("broken", failures=(Failure(HALF, "7", 400, "no number"),)))
    result, broken = reindex(fake)
    assert (named(fake.create), fake.forget_task.called, broken) == (["day-3"], False, [])
    assert result["summary"] == "1 of 3 indices as asked, 1 copying, 1 broken; 100 of 300 documents"


def test_a_pass_that_broke_is_reported_and_forgotten_when_the_others_are_done() -> None:
    fake = cluster(Task("broken", failures=(Failure(HALF, "7", 400, "no number"),)))
    result, broken = reindex(fake, last="day-2")
    assert fake.forget_task.call_args.args[0].index == HALF
    assert [str(error) for error in broken] == [
        f"{HALF} is no copy of day-2 yet: it refuses 1 documents or more, such as 7 (no number)."
        " Mend that; the same call begins it anew."
    ]
    assert states(result)["day-2"] == "broken"
    assert not result["done"]


def test_a_check_touches_nothing() -> None:
    fake = cluster(Task("running"))
    result, _ = reindex(fake, check_mode=True)
    assert not {"create", "copy", "throttle", "settle", "discard"} & {call[0] for call in fake.method_calls}
    assert (result["changed"], result["bytes"]) == (True, 14)
    assert set(result["diff"]["after"]) == {"day-2", "day-3"}
