# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This util is PRIVATE to the collection: it may change or go without notice.

"""Base of the actions that let a person follow a module which waits."""

from __future__ import annotations

import time
import typing as t

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._waiting import WAIT_SPEC


class WaitingAction(ActionBase):  # type: ignore[misc] # Ansible carries no types
    """Runs the module of the same name again and again in place of its own waiting, and says where it stands."""

    _supports_check_mode = True
    # Whether the module's own work takes the time between two looks at it.
    works_meanwhile = False

    def is_done(self, result: dict[str, t.Any]) -> bool:
        raise NotImplementedError

    def progress(self, result: dict[str, t.Any]) -> str:
        raise NotImplementedError

    def again(self, arguments: dict[str, t.Any], result: dict[str, t.Any]) -> dict[str, t.Any]:
        """What the module is asked the next time: the same, unless asking twice would do it twice."""
        return arguments

    def closing(self, first: dict[str, t.Any], last: dict[str, t.Any]) -> dict[str, t.Any]:
        """The task's result."""
        return last

    def run(self, tmp: None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        started, arguments = time.monotonic(), dict(self._task.args)
        waits = boolean(arguments.get("wait", WAIT_SPEC["wait"]["default"]), strict=False)
        timeout, sleep = (
            int(arguments.get(name, WAIT_SPEC[name]["default"])) for name in ("wait_timeout", "wait_sleep")
        )
        first: dict[str, t.Any] = self._execute_module(module_args={**arguments, "wait": False}, task_vars=task_vars)
        result = first
        while waits and not result.get("failed") and not self.is_done(result):
            if time.monotonic() - started + sleep > timeout:
                break
            self._display.display(f"{self._task.get_name()}: {self.progress(result)}")
            if not self.works_meanwhile:
                time.sleep(sleep)
            arguments = self.again(arguments, result)
            result = self._execute_module(module_args={**arguments, "wait": False}, task_vars=task_vars)
        # One that fails later takes nothing away from what the first has done.
        return {**first, **result} if result.get("failed") else self.closing(first, result)
