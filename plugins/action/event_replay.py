# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.simple_analytics.pipeline.plugins.plugin_utils._progress import WaitingAction


class ActionModule(WaitingAction):  # type: ignore[misc] # Ansible carries no types
    works_meanwhile = True

    def is_done(self, result: dict[str, t.Any]) -> bool:
        return bool(result["done"]) or self._task.check_mode

    def progress(self, result: dict[str, t.Any]) -> str:
        return str(result["summary"])
