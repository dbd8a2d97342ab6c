# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
import typing as t
from datetime import timedelta

from ansible_collections.simple_analytics.pipeline.plugins.module_utils._moments import age
from ansible_collections.simple_analytics.pipeline.plugins.plugin_utils._progress import WaitingAction


class ActionModule(WaitingAction):  # type: ignore[misc] # Ansible carries no types
    _first_look: tuple[float, int] | None = None

    def is_done(self, result: dict[str, t.Any]) -> bool:
        return bool(result["done"]) or self._task.check_mode

    def progress(self, result: dict[str, t.Any]) -> str:
        now, copied = time.monotonic(), int(result["copied"])
        self._first_look = self._first_look or (now, copied)
        seconds, documents = now - self._first_look[0], copied - self._first_look[1]
        if seconds < 1 or documents <= 0:
            return str(result["summary"])
        left = timedelta(seconds=(result["documents"] - copied) * seconds / documents)
        return f"{result['summary']}, {documents / seconds:.0f} a second, {age(left)} left"

    def closing(self, first: dict[str, t.Any], last: dict[str, t.Any]) -> dict[str, t.Any]:
        """The names of the indices and their difference are those from before they were switched."""
        if first is last:
            return last
        switched = {
            name: {**index, "state": "switched"} if index["state"] != "same" else index
            for name, index in first["indices"].items()
        }
        return {
            **last,
            "changed": first["changed"],
            "diff": first["diff"],
            **({"indices": switched} if last["done"] else {}),
        }
