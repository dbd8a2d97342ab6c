# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This util is PRIVATE to the collection: it may change or go without notice.

"""Base of the actions that let a person follow a module which waits."""

from __future__ import annotations

import os
import time
import typing as t
from datetime import timedelta

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._moments import age
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._waiting import WAIT_SPEC


def number_of_seconds(arguments: t.Mapping[str, t.Any], option: str, least: int) -> int:
    """The option, or its default."""
    given = arguments.get(option, WAIT_SPEC[option]["default"])
    if not str(given).isdecimal() or int(given) < least:
        raise AnsibleActionFail(f"{option} is {given!r}; it is a number of seconds, {least} or more.")
    return int(given)


class WaitingAction(ActionBase):  # type: ignore[misc] # Ansible carries no types
    """Runs the module of the same name again and again in place of its own waiting, and says where it stands."""

    _supports_check_mode = True
    # Whether the module's own work takes the time between two looks at it.
    works_meanwhile = False
    # For how many seconds it may fail in a row, where it says that this is passing.
    patience = 300

    def is_done(self, result: dict[str, t.Any]) -> bool:
        raise NotImplementedError

    def progress(self, result: dict[str, t.Any]) -> str:
        raise NotImplementedError

    def goes_on(self, result: dict[str, t.Any]) -> bool:
        """Whether there is more to come."""
        return bool(result.get("passing")) if result.get("failed") else not self.is_done(result)

    def again(self, arguments: dict[str, t.Any], result: dict[str, t.Any]) -> dict[str, t.Any]:
        """What the module is asked the next time: the same, unless asking twice would do it twice."""
        return arguments

    def closing(self, first: dict[str, t.Any], last: dict[str, t.Any]) -> dict[str, t.Any]:
        """The task's result, but for whether anything was changed, which any of the calls may have done."""
        return last

    def look(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
        """What the module says, which does not wait."""
        result: dict[str, t.Any] = self._execute_module(module_args={**arguments, "wait": False}, task_vars=task_vars)
        return result

    def look_again(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
        """The same, later. A connection that was lost meanwhile is made anew the next time."""
        try:
            return self.look(arguments, task_vars)
        except AnsibleConnectionFailure as error:
            self._connection.close()
            return {"failed": True, "passing": True, "msg": f"The connection is lost: {error}"}

    def run(self, tmp: None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        parent = os.getppid()
        started, arguments = time.monotonic(), dict(self._task.args)
        waits = boolean(arguments.get("wait", WAIT_SPEC["wait"]["default"]), strict=False)
        timeout = number_of_seconds(arguments, "wait_timeout", 0)
        sleep = number_of_seconds(arguments, "wait_sleep", 1)
        first = self.look(arguments, task_vars)
        result, changed = first, bool(first.get("changed"))
        # What fails at first is wrong in itself.
        waits, well = waits and not first.get("failed"), started
        while waits and self.goes_on(result):
            failed, now = bool(result.get("failed")), time.monotonic()
            well = well if failed else now
            if now - started + sleep > timeout or now - well > self.patience:
                break
            said = result["msg"] if failed else self.progress(result)
            self._display.display(f"{self._task.get_name()}: {said}")
            if failed or not self.works_meanwhile:
                time.sleep(sleep)
            if os.getppid() != parent:
                # Ansible was killed, and nobody follows any more: what it began is gone on with by whoever asks again.
                raise AnsibleActionFail("Ansible has ended.")
            if not failed:
                arguments = self.again(arguments, result)
            result = self.look_again(arguments, task_vars)
            changed = changed or bool(result.get("changed"))
        # One that fails later takes nothing away from what the first has done.
        told = {**first, **result} if result.get("failed") else self.closing(first, result)
        return {**told, "changed": changed}


class FillingAction(WaitingAction):
    """Waits for indices that the cluster fills; says how fast that goes, and how long it will take."""

    # Names in the result: what there is, and how much of it is where it is to be.
    amounts: tuple[str, str]
    # State of an index that one of the calls has finished, and later ones find as asked.
    finished: str
    _first_look: tuple[float, int] | None = None

    def speed(self, a_second: float) -> str:
        raise NotImplementedError

    def is_done(self, result: dict[str, t.Any]) -> bool:
        return bool(result["done"]) or self._task.check_mode

    def progress(self, result: dict[str, t.Any]) -> str:
        total, filled = (int(result[name]) for name in self.amounts)
        now = time.monotonic()
        self._first_look = self._first_look or (now, filled)
        seconds, grown = now - self._first_look[0], filled - self._first_look[1]
        if seconds < 1 or grown <= 0:
            return str(result["summary"])
        left = timedelta(seconds=(total - filled) * seconds / grown)
        return f"{result['summary']}, {self.speed(grown / seconds)} a second, {age(left)} left"

    def closing(self, first: dict[str, t.Any], last: dict[str, t.Any]) -> dict[str, t.Any]:
        """The names of the indices and their difference are those from before they were switched."""
        if first is last:
            return last
        finished = {
            name: {**index, "state": self.finished} if index["state"] != "same" else index
            for name, index in first["indices"].items()
        }
        return {
            **last,
            "diff": first["diff"],
            **({"indices": finished} if last["done"] else {}),
        }
