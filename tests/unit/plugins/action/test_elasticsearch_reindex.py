# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from unittest.mock import Mock

import pytest
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.playbook.task import Task
from ansible_collections.simple_analytics.pipeline.plugins.action import elasticsearch_reindex
from ansible_collections.simple_analytics.pipeline.plugins.plugin_utils import _progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """Each pause takes ten seconds."""
    fake = Mock()
    fake.monotonic.side_effect = lambda: 10.0 * fake.sleep.call_count
    monkeypatch.setattr(_progress, "time", fake)
    return fake


def answer(copied: int, state: str, changed: bool = True) -> dict[str, t.Any]:
    return {
        "changed": changed,
        "done": state in ("same", "switched"),
        "summary": f"{copied} of 300 documents",
        "copied": copied,
        "documents": 300,
        "indices": {"day": {"state": state}},
        "diff": {"before": {}, "after": {"day": {}} if changed else {}},
    }


def action(*answers: dict[str, t.Any] | Exception) -> elasticsearch_reindex.ActionModule:
    task = Mock(spec=Task, args={"source": ["day"], "wait": True}, async_val=0, check_mode=False)
    task.get_name.return_value = "Reindex"
    action = elasticsearch_reindex.ActionModule(task, Mock(), Mock(), Mock(), Mock(), None)
    action._display = Mock()
    action._execute_module = Mock(side_effect=answers)
    return action


@pytest.mark.usefixtures("clock")
def test_it_says_how_fast_it_is_and_how_long_it_will_take() -> None:
    reindex = action(answer(0, "copying"), answer(100, "copying"), answer(300, "same", changed=False))
    result = reindex.run(task_vars={})
    assert [each.args[0] for each in reindex._display.display.call_args_list] == [
        "Reindex: 0 of 300 documents",
        "Reindex: 100 of 300 documents, 10 a second, 20 s left",
    ]
    assert (result["changed"], result["done"]) == (True, True)
    assert result["indices"] == {"day": {"state": "switched"}}
    assert result["diff"]["after"] == {"day": {}}


def away() -> dict[str, t.Any]:
    return {"failed": True, "msg": "The node is away.", "passing": True}


@pytest.mark.usefixtures("clock")
def test_it_outlives_the_node() -> None:
    reindex = action(answer(0, "copying"), away(), away(), answer(300, "same", changed=False))
    result = reindex.run(task_vars={})
    assert [each.args[0] for each in reindex._display.display.call_args_list][1:] == ["Reindex: The node is away."] * 2
    assert (result.get("failed"), result["changed"], result["indices"]) == (None, True, {"day": {"state": "switched"}})


@pytest.mark.usefixtures("clock")
def test_it_outlives_the_connection() -> None:
    lost = AnsibleConnectionFailure("Broken pipe")
    reindex = action(answer(0, "copying"), lost, answer(300, "same", changed=False))
    result = reindex.run(task_vars={})
    assert "Reindex: The connection is lost: Broken pipe" in reindex._display.display.call_args_list[-1].args[0]
    assert (result.get("failed"), result["done"], reindex._connection.close.call_count) == (None, True, 1)


@pytest.mark.usefixtures("clock")
def test_a_host_that_is_not_reached_at_first_is_unreachable() -> None:
    with pytest.raises(AnsibleConnectionFailure):
        action(AnsibleConnectionFailure("No route")).run(task_vars={})


@pytest.mark.usefixtures("clock")
def test_a_node_that_stays_away_is_not_waited_for_without_end() -> None:
    reindex = action(answer(0, "copying"), *[away()] * 100)
    reindex._task.args["wait_timeout"] = 10_000
    result = reindex.run(task_vars={})
    assert (result["failed"], result["msg"], result["copied"]) == (True, "The node is away.", 0)
    assert reindex._execute_module.call_count == 1 + 1 + 300 / 10


@pytest.mark.parametrize("answers", [[away()], [answer(0, "copying"), {**away(), "passing": False}]])
@pytest.mark.usefixtures("clock")
def test_what_is_wrong_ends_it_at_once(answers: list[dict[str, t.Any]]) -> None:
    assert action(*answers).run(task_vars={})["failed"]


@pytest.mark.parametrize(("option", "value"), [("wait_timeout", "soon"), ("wait_sleep", 0), ("wait_timeout", -1)])
def test_what_is_no_number_of_seconds_is_named_before_anything_is_done(option: str, value: object) -> None:
    reindex = action()
    reindex._task.args[option] = value
    with pytest.raises(AnsibleActionFail, match=f"{option} is {value!r}; it is a number of seconds"):
        reindex.run(task_vars={})


@pytest.mark.usefixtures("clock")
def test_nothing_to_do_is_no_change() -> None:
    assert action(answer(300, "same", changed=False)).run(task_vars={}) == answer(300, "same", changed=False)
