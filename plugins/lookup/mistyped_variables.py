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
  - The end of a name, such as C(first) for C(restore_first), resembles it.
author: Simple Analytics contributors (@simple-analytics)
options:
  _terms:
    description: Names of the variables that the playbook knows.
    type: list
    elements: str
    required: true
  similarity:
    description: From which share of equal letters on a name resembles another. Names that begin alike want more of it.
    type: float
    default: 0.6
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


def mistyped(given: Iterable[str], known: Collection[str], similarity: float = 0.6) -> list[str]:
    """The names that are none, each with the one that it resembles most."""
    unknown = [name for name in sorted(given) if name not in known]
    ends = {name: [whole for whole in known if whole.endswith(f"_{name}")] for name in unknown}
    close = {name: ends[name] or get_close_matches(name, known, 1, similarity) for name in unknown}
    return [f"{name} ({found[0]}?)" for name, found in close.items() if found]


class LookupModule(LookupBase):  # type: ignore[misc] # Ansible carries no types
    """Asks Ansible for the command line's variables."""

    def run(self, terms: list[str], variables: Mapping[str, Any] | None = None, **kwargs: object) -> list[str]:
        """Find them."""
        self.set_options(var_options=variables, direct=kwargs)
        return mistyped(load_extra_vars(self._loader), terms, self.get_option("similarity"))
