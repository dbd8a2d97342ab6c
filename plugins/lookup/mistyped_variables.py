# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: mistyped_variables
short_description: Find what was given with -e and looks like a variable that was meant
version_added: 0.1.0
description:
  - A variable that is mistyped on the command line is passed over, so that a playbook does what nobody asked for.
  - Names that resemble none of the playbook's are left alone, since an inventory may ask for them.
author: Simple Analytics contributors (@simple-analytics)
options:
  _terms:
    description: Names of the variables that the playbook knows.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Check the variables' names
  ansible.builtin.assert:
    that: query('simple_analytics.pipeline.mistyped_variables', 'shards', 'timestamp') | length == 0
"""

RETURN = r"""
_list:
  description: For each name that is none, itself and the one that it resembles most.
  type: list
  elements: str
  sample: ["shard (shards?)"]
"""

from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from ansible.plugins.lookup import LookupBase
from ansible.utils.vars import load_extra_vars


def mistyped(given: Iterable[str], known: Collection[str]) -> list[str]:
    """The names that are none, each with the one that it resembles most."""
    close = {name: get_close_matches(name, known, 1) for name in sorted(given) if name not in known}
    return [f"{name} ({found[0]}?)" for name, found in close.items() if found]


class LookupModule(LookupBase):  # type: ignore[misc] # Ansible carries no types
    """Asks Ansible for the command line's variables."""

    def run(self, terms: list[str], variables: Mapping[str, Any] | None = None, **kwargs: object) -> list[str]:
        """Find them."""
        return mistyped(load_extra_vars(self._loader), terms)
