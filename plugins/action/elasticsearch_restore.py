# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.module_utils.common.text.formatters import bytes_to_human
from ansible_collections.simple_analytics.pipeline.plugins.plugin_utils._progress import FillingAction


class ActionModule(FillingAction):  # type: ignore[misc] # Ansible carries no types
    amounts = ("bytes", "restored")
    finished = "restored"

    def again(self, arguments: dict[str, t.Any], result: dict[str, t.Any]) -> dict[str, t.Any]:
        """Of the snapshot that was chosen, whatever is taken meanwhile."""
        return {**arguments, "snapshot": result["snapshot"]}

    def speed(self, a_second: float) -> str:
        return str(bytes_to_human(a_second))
