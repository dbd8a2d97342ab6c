# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
import typing as t
from datetime import timedelta

from ansible_collections.simple_analytics.pipeline.plugins.module_utils._moments import age
from ansible_collections.simple_analytics.pipeline.plugins.plugin_utils._progress import WaitingAction

# What says where a rewind is to go, and is not said again to one that is under way.
ASKED_ONCE = {
    "position",
    "timestamp",
    "clamp",
    "sequence_numbers",
    "shards",
    "allow_skip",
    "manifest",
    "resume",
    "restore",
}


class Look(t.NamedTuple):
    """How many seconds a consumer is behind at some second."""

    second: float
    lag: float


def left(first: Look, last: Look) -> str:
    """When the consumer will have caught up, if it goes on as it did."""
    caught_up = first.lag - last.lag
    if caught_up <= 0:
        return ""
    return f", about {age(timedelta(seconds=last.lag * (last.second - first.second) / caught_up))} left"


class ActionModule(WaitingAction):  # type: ignore[misc] # Ansible carries no types
    _first_look: Look | None = None

    def is_done(self, result: dict[str, t.Any]) -> bool:
        return bool(result["done"]) or self._task.check_mode

    def progress(self, result: dict[str, t.Any]) -> str:
        if not result.get("lag"):
            return str(result["summary"])
        look = Look(time.monotonic(), result["lag"] / 1000)
        self._first_look = self._first_look or look
        return f"{result['summary']}; {age(timedelta(seconds=look.lag))} behind{left(self._first_look, look)}"

    def again(self, arguments: dict[str, t.Any], result: dict[str, t.Any]) -> dict[str, t.Any]:
        kept = {name: value for name, value in arguments.items() if name not in ASKED_ONCE}
        # Not the result's, in which a credential that happens to be part of the path would be masked.
        return {**kept, "resume": arguments.get("resume") or arguments["manifest"]}

    def closing(self, first: dict[str, t.Any], last: dict[str, t.Any]) -> dict[str, t.Any]:
        return {**first, **{name: last[name] for name in ("done", "summary", "states", "lag") if name in last}}
