# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.simple_analytics.pipeline.plugins.plugin_utils._progress import WaitingAction


class ActionModule(WaitingAction):  # type: ignore[misc] # Ansible carries no types
    def is_done(self, result: dict[str, t.Any]) -> bool:
        return bool(result["closed"])

    def progress(self, result: dict[str, t.Any]) -> str:
        # What is on its way counts as lost until it has arrived, which the word alone would not say.
        return f"not all has arrived yet, {result['summary']} ({result['waiting']} raw objects wait)"
