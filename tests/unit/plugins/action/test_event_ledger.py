# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from unittest.mock import Mock

import pytest
from ansible.playbook.task import Task
from ansible_collections.simple_analytics.pipeline.plugins.action.event_ledger import ActionModule
from ansible_collections.simple_analytics.pipeline.plugins.plugin_utils import _progress


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Run:
    """The action with a module that answers from a list; the last answer repeats."""

    def __init__(self, *answers: dict[str, t.Any], **arguments: object) -> None:
        task = Mock(spec=Task, args=arguments, async_val=0, check_mode=False)
        task.get_name.return_value = "Read the ledger"
        self.action = ActionModule(task, Mock(), Mock(), Mock(), Mock(), None)
        self.shown: list[str] = []
        self.action._display = Mock(display=self.shown.append)
        self.calls: list[dict[str, t.Any]] = []
        self._answers = list(answers)
        self.action._execute_module = self._execute_module

    def _execute_module(self, module_args: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        self.calls.append(module_args)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    def result(self) -> dict[str, t.Any]:
        result: dict[str, t.Any] = self.action.run(task_vars={})
        return result


def reading(closed: bool, lost: int = 0) -> dict[str, t.Any]:
    return {"closed": closed, "summary": f"ledger: lost={lost}", "waiting": lost}


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(_progress, "time", clock)
    return clock


def test_without_waiting_the_module_runs_once() -> None:
    run = Run(reading(False, 3), index="events")
    assert run.result()["closed"] is False
    assert (run.calls, run.shown) == ([{"index": "events", "wait": False}], [])


def test_each_reading_on_the_way_is_told() -> None:
    run = Run(reading(False, 3), reading(False, 1), reading(True), wait="yes")
    assert run.result()["closed"] is True
    assert run.shown == [
        "Read the ledger: not all has arrived yet, ledger: lost=3 (3 raw objects wait)",
        "Read the ledger: not all has arrived yet, ledger: lost=1 (1 raw objects wait)",
    ]


def test_the_module_itself_never_waits() -> None:
    run = Run(reading(False, 1), reading(True), wait=True)
    run.result()
    assert [call["wait"] for call in run.calls] == [False, False]


def test_it_gives_up_in_time(clock: Clock) -> None:
    run = Run(reading(False, 1), wait=True, wait_timeout="12")
    assert run.result()["closed"] is False
    assert clock.now == 10


def test_a_failure_is_handed_on_at_once() -> None:
    run = Run({"failed": True, "msg": "no"}, wait=True)
    assert run.result() == {"failed": True, "msg": "no", "changed": False}
    assert len(run.calls) == 1
