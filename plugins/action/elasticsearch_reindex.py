# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.simple_analytics.pipeline.plugins.plugin_utils._progress import FillingAction


class ActionModule(FillingAction):  # type: ignore[misc] # Ansible carries no types
    amounts = ("documents", "copied")
    finished = "switched"

    def speed(self, a_second: float) -> str:
        return f"{a_second:.0f}"
