# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from ansible_collections.simple_analytics.pipeline.plugins.filter.cloudformation_parameters import parameter_text

DOCUMENTATION = r"""
name: cloudformation_violations
short_description: Find values that a CloudFormation template does not accept
version_added: 0.1.0
description:
  - Checks values against the constraints in the template's C(Parameters) and C(Rules) before anything is sent to AWS,
    which itself reports one violation at a time, and only when that stack's turn has come.
  - A rule that asks for more than texts and parameters (C(Fn::EachMemberIn), C(Fn::RefAll) …) is left to AWS.
positional: _input, template
options:
  _input:
    description: Values by parameter name.
    type: dict
    required: true
  template:
    description: The template as returned by the filter P(simple_analytics.pipeline.cloudformation_template#filter).
    type: dict
    required: true
  variable:
    description: Name of the variable that holds the values; each sentence begins with it.
    type: str
    required: true
  provided:
    description: Names of parameters that get their value elsewhere.
    type: list
    elements: str
    default: []
author:
  - Simple Analytics contributors
"""

EXAMPLES = r"""
- name: Check the parameters of a stack
  ansible.builtin.assert:
    that: violations | length == 0
    fail_msg: "{{ violations }}"
  vars:
    template: "{{ lookup('ansible.builtin.file', 'stack.yml') | simple_analytics.pipeline.cloudformation_template }}"
    violations: "{{ parameters | simple_analytics.pipeline.cloudformation_violations(template, 'parameters') }}"
"""

RETURN = r"""
_value:
  description: One sentence for each violation.
  type: list
  elements: str
  sample: ["parameters.StreamRetentionHours is 12; it must be 24 to 8760 hours (365 days)."]
"""


class _BeyondUs(Exception):  # noqa: N818 - no error: AWS judges that rule
    """A rule asks for something that only AWS knows."""


def _accepts(text: str, parameter: Mapping[str, Any]) -> bool:
    """Tell whether one text meets the constraints."""
    if text not in [parameter_text(value) for value in parameter.get("AllowedValues", [text])]:
        return False
    if not re.fullmatch(str(parameter.get("AllowedPattern", ".*")), text, re.DOTALL):
        return False
    if parameter["Type"] != "Number":
        return True
    try:
        return float(parameter.get("MinValue", "-inf")) <= float(text) <= float(parameter.get("MaxValue", "inf"))
    except ValueError:
        return False


def _texts(value: object, parameter: Mapping[str, Any]) -> list[str]:
    """Give what the constraints apply to: the items of a list, else the value itself."""
    text = parameter_text(value)
    return text.split(",") if "List" in parameter["Type"] else [text]


def _shown(name: str, value: object, parameter: Mapping[str, Any]) -> str:
    """Name a value, unless it is a secret."""
    text = parameter_text(value)
    return f"{name} is {'hidden' if text and parameter.get('NoEcho') else text or 'empty'}"


def _resolve(expression: object, values: Mapping[str, str]) -> object:
    """Evaluate what a rule says, functions in their long form."""
    if not isinstance(expression, Mapping):
        return expression
    ((function, argument),) = expression.items()
    if function == "Ref" and argument in values:
        return values[argument]
    if function not in ("Fn::And", "Fn::Contains", "Fn::Equals", "Fn::Not", "Fn::Or"):
        raise _BeyondUs
    resolved = [_resolve(part, values) for part in argument]
    if function == "Fn::Contains":
        return resolved[1] in [_resolve(member, values) for member in argument[0]]
    if function == "Fn::Equals":
        return resolved[0] == resolved[1]
    return {"Fn::And": all(resolved), "Fn::Not": not resolved[0], "Fn::Or": any(resolved)}[function]


def _references(expression: object) -> Iterator[str]:
    """Name the parameters that an expression asks for."""
    if isinstance(expression, Mapping):
        for function, argument in expression.items():
            yield from [argument] if function == "Ref" else _references(argument)
    elif isinstance(expression, list):
        for part in expression:
            yield from _references(part)


def _broken_rules(values: Mapping[str, Any], template: Mapping[str, Any], variable: str) -> Iterator[str]:
    parameters = template["Parameters"]
    given = {name: parameter["Default"] for name, parameter in parameters.items() if "Default" in parameter} | {
        **values
    }
    texts = {name: parameter_text(value) for name, value in given.items()}
    for name, rule in template.get("Rules", {}).items():
        condition = rule.get("RuleCondition", {"Fn::Equals": ["", ""]})
        for assertion in rule["Assertions"]:
            try:
                if not _resolve(condition, texts) or _resolve(assertion["Assert"], texts):
                    continue
            except _BeyondUs:
                continue
            asked = dict.fromkeys([*_references(condition), *_references(assertion["Assert"])])
            shown = ", ".join(_shown(name, given[name], parameters[name]) for name in asked)
            told = assertion.get("AssertDescription", f"the template's rule {name} is broken").rstrip(".")
            yield f"{variable}: {told} ({shown})."


def _violations(
    values: Mapping[str, Any], parameters: Mapping[str, Mapping[str, Any]], variable: str, provided: Collection[str]
) -> Iterator[str]:
    for name, value in values.items():
        if name not in parameters:
            yield f"{variable}.{name} is no parameter of the template; these are: {', '.join(sorted(parameters))}."
        elif not all(_accepts(text, parameters[name]) for text in _texts(value, parameters[name])):
            constraint = parameters[name].get("ConstraintDescription", "must meet the constraints of the template")
            yield f"{variable}.{_shown(name, value, parameters[name])}; it {constraint}."
    for name, parameter in parameters.items():
        if "Default" not in parameter and name not in values and name not in provided:
            yield f"{variable}.{name} is not set; it {parameter.get('ConstraintDescription', 'is required')}."


def cloudformation_violations(
    values: Mapping[str, Any], template: Mapping[str, Any], variable: str, provided: Collection[str] = ()
) -> list[str]:
    """List the violations as sentences."""
    if not isinstance(values, Mapping):
        return [f"{variable} is {values}; it must be a dictionary of values by parameter name."]
    return [
        *_violations(values, template["Parameters"], variable, provided),
        *_broken_rules(values, template, variable),
    ]


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name the filters."""
        return {"cloudformation_violations": cloudformation_violations}
