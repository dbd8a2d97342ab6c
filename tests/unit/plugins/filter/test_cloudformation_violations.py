# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.simple_analytics.pipeline.plugins.filter.cloudformation_violations import (
    cloudformation_violations,
)

TEMPLATE: dict[str, Any] = {
    "Parameters": {
        "Hours": {
            "Type": "Number",
            "Default": 168,
            "MinValue": 24,
            "MaxValue": 8760,
            "ConstraintDescription": "must be 24 to 8760 hours",
        },
        "Nodes": {"Type": "Number", "Default": 3, "AllowedValues": [1, 3]},
        "Flag": {"Type": "String", "Default": "true", "AllowedValues": ["true", "false"]},
        "Name": {"Type": "String", "Default": "abc", "AllowedPattern": "[a-z]+"},
        "Subnets": {"Type": "List<AWS::EC2::Subnet::Id>", "Default": "", "AllowedPattern": "subnet-[0-9a-f]+"},
        "Vpc": {"Type": "String"},
    }
}


def violations(**values: object) -> list[str]:
    sentences: list[str] = cloudformation_violations(values, TEMPLATE, "parameters", ["Vpc"])
    return sentences


@pytest.mark.parametrize(
    "name, value",
    [
        ("Hours", 24),
        ("Hours", "8760"),
        ("Nodes", 1),
        ("Nodes", "3"),
        ("Flag", False),
        ("Name", "xyz"),
        ("Subnets", ["subnet-1", "subnet-2"]),
        ("Subnets", "subnet-1,subnet-2"),
        ("Vpc", "anything"),
    ],
)
def test_what_the_template_accepts_is_no_violation(name: str, value: object) -> None:
    assert violations(**{name: value}) == []


@pytest.mark.parametrize(
    "name, value",
    [
        ("Hours", 23),
        ("Hours", 8761),
        ("Hours", "a day"),
        ("Nodes", 2),
        ("Flag", "yes"),
        ("Name", "xyz\n"),
        ("Name", ""),
        ("Subnets", ["subnet-1", "vpc-1"]),
        ("Subnets", []),
    ],
)
def test_what_the_template_refuses_is_one_violation(name: str, value: object) -> None:
    (sentence,) = violations(**{name: value})
    assert sentence.startswith(f"parameters.{name} is ")


def test_a_sentence_names_variable_value_and_remedy() -> None:
    assert violations(Hours=12) == ["parameters.Hours is 12; it must be 24 to 8760 hours."]


def test_an_unknown_parameter_is_answered_with_the_known_ones() -> None:
    assert violations(Days=7) == [
        "parameters.Days is no parameter of the template; these are: Flag, Hours, Name, Nodes, Subnets, Vpc."
    ]


def test_what_has_no_default_must_be_given_here_or_elsewhere() -> None:
    assert cloudformation_violations({}, TEMPLATE, "parameters") == ["parameters.Vpc is not set; it is required."]
    assert cloudformation_violations({"Vpc": "v"}, TEMPLATE, "parameters") == []


def test_text_in_place_of_a_dictionary_is_named() -> None:
    text: Any = "{}"
    assert cloudformation_violations(text, TEMPLATE, "parameters") == [
        "parameters is {}; it must be a dictionary of values by parameter name."
    ]


def test_a_secret_is_not_shown() -> None:
    template = {"Parameters": {"Secret": {"Type": "String", "NoEcho": True, "AllowedPattern": "[a-z]+"}}}
    (sentence,) = cloudformation_violations({"Secret": "S3SAME"}, template, "parameters")
    assert sentence.startswith("parameters.Secret is hidden; it ")


def ref(name: str) -> dict[str, str]:
    return {"Ref": name}


def equals(name: str, text: str) -> dict[str, Any]:
    return {"Fn::Equals": [ref(name), text]}


RULES: dict[str, Any] = {
    "Parameters": {
        "Domain": {"Type": "String", "Default": ""},
        "Certificate": {"Type": "String", "Default": ""},
        "Secret": {"Type": "String", "Default": "", "NoEcho": True},
        "Vpc": {"Type": "String"},
    }
}


def broken(assertion: object, condition: object = None, **values: object) -> list[str]:
    """What a template with this one rule says of the values."""
    rule = {"Assertions": [{"Assert": assertion, "AssertDescription": "This must hold."}]}
    template = {**RULES, "Rules": {"Rule": rule | ({"RuleCondition": condition} if condition else {})}}
    sentences: list[str] = cloudformation_violations(values, template, "parameters", ["Vpc"])
    return sentences


@pytest.mark.parametrize(
    "assertion, holds",
    [
        (equals("Domain", "a"), True),
        (equals("Domain", "b"), False),
        (equals("Certificate", ""), True),
        ({"Fn::Not": [equals("Domain", "")]}, True),
        ({"Fn::Not": [equals("Domain", "a")]}, False),
        ({"Fn::And": [equals("Domain", "a"), equals("Certificate", "c")]}, False),
        ({"Fn::Or": [equals("Domain", "a"), equals("Certificate", "c")]}, True),
        ({"Fn::Or": [equals("Domain", "b"), equals("Certificate", "c")]}, False),
        ({"Fn::Contains": [["a", "b"], ref("Domain")]}, True),
        ({"Fn::Contains": [["b", "c"], ref("Domain")]}, False),
        ({"Fn::EachMemberIn": [["a"], ["b"]]}, True),
        (equals("Vpc", "known elsewhere"), True),
    ],
)
def test_a_rule_holds_or_is_broken(assertion: dict[str, Any], holds: bool) -> None:
    assert (broken(assertion, Domain="a") == []) is holds


def test_a_rule_without_its_condition_is_not_asked() -> None:
    assert broken(equals("Certificate", "c"), equals("Domain", "a")) == []
    assert broken(equals("Certificate", "c"), equals("Domain", "a"), Domain="a") != []


def test_a_broken_rule_names_the_variable_and_all_it_asks_for_but_no_secret() -> None:
    both = {"Fn::And": [equals("Certificate", "c"), equals("Secret", "known")]}
    assert broken(both, equals("Domain", "a"), Domain="a", Secret="other") == [
        "parameters: This must hold (Domain is a, Certificate is empty, Secret is hidden)."
    ]
