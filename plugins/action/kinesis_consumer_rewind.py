# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

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


class ActionModule(WaitingAction):  # type: ignore[misc] # Ansible carries no types
    def is_done(self, result: dict[str, t.Any]) -> bool:
        return bool(result["done"]) or self._task.check_mode

    def progress(self, result: dict[str, t.Any]) -> str:
        return str(result["summary"])

    def again(self, arguments: dict[str, t.Any], result: dict[str, t.Any]) -> dict[str, t.Any]:
        kept = {name: value for name, value in arguments.items() if name not in ASKED_ONCE}
        # Not the result's, in which a credential that happens to be part of the path would be masked.
        return {**kept, "resume": arguments.get("resume") or arguments["manifest"]}

    def closing(self, first: dict[str, t.Any], last: dict[str, t.Any]) -> dict[str, t.Any]:
        return {**first, **{name: last[name] for name in ("done", "summary", "states")}}
