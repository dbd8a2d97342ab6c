# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

DOCUMENTATION = r"""
name: cloudformation_parameters
short_description: Write values as CloudFormation parameters
version_added: 0.1.0
description:
  - CloudFormation knows text only. Booleans become lower case, lists are joined by commas, null becomes empty.
positional: _input
options:
  _input:
    description: Values by parameter name.
    type: dict
    required: true
author:
  - Simple Analytics contributors
"""

EXAMPLES = r"""
- name: Deploy a stack
  amazon.aws.cloudformation:
    stack_name: analytics-prod-event-processor
    template_body: "{{ lookup('ansible.builtin.file', 'event-processor.yml') }}"
    template_parameters: "{{ parameters | simple_analytics.pipeline.cloudformation_parameters }}"
  vars:
    parameters:
      SubnetIds: [subnet-1, subnet-2]
"""

RETURN = r"""
_value:
  description: Text by parameter name.
  type: dict
  sample: { "SubnetIds": "subnet-1,subnet-2" }
"""


def parameter_text(value: object) -> str:
    """Write one value as CloudFormation reads it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return ",".join(parameter_text(item) for item in value)
    return "" if value is None else str(value)


def cloudformation_parameters(values: Mapping[str, Any]) -> dict[str, str]:
    """Write each value as CloudFormation reads it."""
    return {key: parameter_text(value) for key, value in values.items()}


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name the filters."""
        return {"cloudformation_parameters": cloudformation_parameters}
