# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import yaml
from ansible.errors import AnsibleFilterError
from ansible.module_utils.common.yaml import SafeLoader

DOCUMENTATION = r"""
name: cloudformation_template
short_description: Read a CloudFormation template
version_added: 0.1.0
description:
  - Turns the text of a CloudFormation template in YAML into data, short forms of functions such as C(!Ref) included.
positional: _input
options:
  _input:
    description: Text of the template.
    type: str
    required: true
author:
  - Simple Analytics contributors
"""

EXAMPLES = r"""
- name: List the outputs that a stack will have
  ansible.builtin.debug:
    msg: "{{ template.Outputs.keys() }}"
  vars:
    template: "{{ lookup('ansible.builtin.file', 'stack.yml') | simple_analytics.pipeline.cloudformation_template }}"
"""

RETURN = r"""
_value:
  description: The template, functions in their long form.
  type: dict
"""


class TemplateLoader(SafeLoader):  # type: ignore[misc] # Ansible has no types; its loader is the one in C where there is one
    """YAML as CloudFormation writes it."""


def _function(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    """Turn a short form into the long one."""
    value: Any = None
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    if suffix in ("Ref", "Condition"):
        return {suffix: value}
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {f"Fn::{suffix}": value}


TemplateLoader.add_multi_constructor("!", _function)


def cloudformation_template(text: str) -> dict[str, Any]:
    """Read the text of a template."""
    try:
        template = yaml.load(str(text), TemplateLoader)  # noqa: S506 - a SafeLoader with CloudFormation's tags
    except yaml.YAMLError as error:
        raise AnsibleFilterError(f"Failed to read the CloudFormation template: {error}") from error
    if not isinstance(template, dict) or "Resources" not in template:
        raise AnsibleFilterError("Failed to read the CloudFormation template: it has no Resources")
    return {"Parameters": {}, "Outputs": {}, **template}


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name the filters."""
        return {"cloudformation_template": cloudformation_template}
