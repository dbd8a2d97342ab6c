# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

DOCUMENTATION = r"""
name: cloudformation_changes
short_description: Describe the changes of a CloudFormation change set
version_added: 0.1.0
description:
  - Gives one line for each resource; those that lose data or their identity come first, in capitals.
positional: _input
options:
  _input:
    description: C(Changes) as CloudFormation's C(DescribeChangeSet) returns them.
    type: list
    elements: dict
    required: true
author:
  - Simple Analytics contributors
"""

EXAMPLES = r"""
- name: Show what an update would change
  ansible.builtin.debug:
    msg: "{{ change_set.meta | simple_analytics.pipeline.cloudformation_changes }}"
"""

RETURN = r"""
_value:
  description: One line for each resource.
  type: list
  elements: str
  sample:
    - "REPLACE Stream (AWS::Kinesis::Stream): Name"
    - "modify Distribution (AWS::CloudFront::Distribution): DistributionConfig"
"""


ORDER = ("REPLACE", "REMOVE", "may REPLACE", "modify", "add")


def _verb(change: Mapping[str, Any]) -> str:
    """Name what happens to the resource."""
    action = str(change["Action"])
    if action == "Modify":
        return {"True": "REPLACE", "Conditional": "may REPLACE"}.get(change.get("Replacement", "False"), "modify")
    return {"Remove": "REMOVE"}.get(action, action.lower())


def _properties(change: Mapping[str, Any]) -> list[str]:
    """Name the properties that cause the change, each once."""
    targets = [detail.get("Target", {}) for detail in change.get("Details", [])]
    return sorted({target.get("Name") or target.get("Attribute", "") for target in targets} - {""})


def cloudformation_changes(changes: Iterable[Mapping[str, Any]]) -> list[str]:
    """Describe each change in a line."""
    lines = []
    for change in (item["ResourceChange"] for item in changes if "ResourceChange" in item):
        verb = _verb(change)
        properties = _properties(change)
        line = f"{verb} {change['LogicalResourceId']} ({change['ResourceType']})"
        if properties:
            line += f": {', '.join(properties)}"
        lines.append((ORDER.index(verb) if verb in ORDER else len(ORDER), line))
    return [line for _order, line in sorted(lines)]


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name the filters."""
        return {"cloudformation_changes": cloudformation_changes}
