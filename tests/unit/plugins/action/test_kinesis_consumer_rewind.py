# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from unittest.mock import Mock

import pytest
from ansible.playbook.task import Task
from ansible_collections.simple_analytics.pipeline.plugins.action import kinesis_consumer_rewind
from ansible_collections.simple_analytics.pipeline.plugins.action.kinesis_consumer_rewind import ActionModule
from ansible_collections.simple_analytics.pipeline.plugins.plugin_utils import _progress

ASKED = {"application": "indexer", "stream": "events", "region": "us-east-1"}


def answer(moved: int, **others: object) -> dict[str, t.Any]:
    return {"done": moved == 2, "summary": f"{moved} moved on", "states": {"a": moved}, "moves": [], **others}


class Run:
    """The action with a module that answers from a list."""

    def __init__(self, *answers: dict[str, t.Any], check_mode: bool = False, **arguments: object) -> None:
        task = Mock(spec=Task, args={**ASKED, **arguments}, async_val=0, check_mode=check_mode)
        task.get_name.return_value = "Rewind"
        self.action = ActionModule(task, Mock(), Mock(), Mock(), Mock(), None)
        self.shown: list[str] = []
        self.action._display = Mock(display=self.shown.append)
        self.calls: list[dict[str, t.Any]] = []
        self._answers = list(answers)
        self.action._execute_module = self._execute_module

    def _execute_module(self, module_args: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        self.calls.append(module_args)
        return self._answers.pop(0)

    def result(self) -> dict[str, t.Any]:
        result: dict[str, t.Any] = self.action.run(task_vars={})
        return result


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_progress, "time", Mock(monotonic=Mock(return_value=0.0)))


def test_it_rewinds_once_and_then_looks() -> None:
    run = Run(answer(0), answer(1), answer(2), position="trim_horizon", shards=["a"], manifest="/m", wait=True)
    run.result()
    assert run.calls == [
        {**ASKED, "position": "trim_horizon", "shards": ["a"], "manifest": "/m", "wait": False},
        {**ASKED, "resume": "/m", "wait": False},
        {**ASKED, "resume": "/m", "wait": False},
    ]
    assert run.shown == ["Rewind: 0 moved on", "Rewind: 1 moved on"]


def test_the_result_tells_what_was_moved_and_how_far_it_came() -> None:
    first = answer(0, changed=True, moves=["a"], kept={"b": "no record of that time"}, manifest="/m")
    run = Run(first, answer(2, changed=False, moves=[]), position="trim_horizon", manifest="/m", wait=True)
    assert run.result() == {**first, "done": True, "summary": "2 moved on", "states": {"a": 2}}


def test_an_error_on_the_way_leaves_what_was_done_in_the_result() -> None:
    first, broken = answer(0, changed=True), {"failed": True, "msg": "no"}
    run = Run(first, broken, position="latest", manifest="/m", wait=True)
    assert run.result() == {**first, **broken}


def test_a_check_has_nothing_to_wait_for() -> None:
    run = Run(answer(0, changed=True), check_mode=True, position="trim_horizon", wait=True)
    assert run.result()["changed"] is True
    assert len(run.calls) == 1


def test_it_says_how_far_behind_the_consumer_is_and_how_long_that_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinesis_consumer_rewind, "time", Mock(monotonic=Mock(side_effect=[0.0, 5.0, 10.0])))
    behind = [answer(1, lag=lag) for lag in (3_600_000, 3_600_000, 2_400_000)]
    run = Run(answer(0), *behind, answer(2, lag=0), position="trim_horizon", manifest="/m", wait=True)
    assert run.result()["lag"] == 0
    assert run.shown == [
        "Rewind: 0 moved on",
        "Rewind: 1 moved on; 1 h behind",
        "Rewind: 1 moved on; 1 h behind",
        "Rewind: 1 moved on; 40 min behind, about 20 s left",
    ]
