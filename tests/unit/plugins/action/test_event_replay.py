# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from unittest.mock import Mock

import pytest
from ansible.errors import AnsibleActionFail
from ansible.playbook.task import Task
from ansible_collections.simple_analytics.pipeline.plugins.action.event_replay import ActionModule
from ansible_collections.simple_analytics.pipeline.plugins.plugin_utils import _progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Mock:
    clock = Mock(monotonic=Mock(return_value=0.0))
    monkeypatch.setattr(_progress, "time", clock)
    return clock


def answer(events: int, changed: bool = True) -> dict[str, t.Any]:
    return {"changed": changed, "done": events == 3, "summary": f"{events} events", "events": events}


def action(*answers: dict[str, t.Any]) -> ActionModule:
    task = Mock(spec=Task, args={"from": "a", "until": "b", "wait": True}, async_val=0, check_mode=False)
    task.get_name.return_value = "Replay"
    action = ActionModule(task, Mock(), Mock(), Mock(), Mock(), None)
    action._display = Mock()
    action._execute_module = Mock(side_effect=answers)
    return action


def test_the_module_works_on_without_a_pause_and_says_how_far_it_is(clock: Mock) -> None:
    replay = action(answer(1), answer(2), answer(3, changed=False))
    assert replay.run(task_vars={}) == answer(3)
    assert [each.args[0] for each in replay._display.display.call_args_list] == ["Replay: 1 events", "Replay: 2 events"]
    clock.sleep.assert_not_called()


def test_what_any_of_the_calls_has_sent_is_a_change(clock: Mock) -> None:
    calls = answer(1, changed=False), answer(2), answer(3, changed=False)
    assert action(*calls).run(task_vars={})["changed"] is True
    broken = {"failed": True, "msg": "no"}
    assert action(*calls[:2], broken).run(task_vars={}) == {**calls[0], **broken, "changed": True}


def test_it_ends_with_the_ansible_that_it_belongs_to(clock: Mock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise it would send on and on with nobody watching, and turn away the one who asks again."""
    parents = iter([17, 17, 1])
    monkeypatch.setattr(_progress.os, "getppid", lambda: next(parents))
    begun = action(answer(1), answer(2), answer(3), answer(4))
    with pytest.raises(AnsibleActionFail, match="Ansible has ended"):
        begun.run(task_vars={})
