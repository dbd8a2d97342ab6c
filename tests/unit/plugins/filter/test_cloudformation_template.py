# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.simple_analytics.pipeline.plugins.filter.cloudformation_template import cloudformation_template


@pytest.mark.parametrize(
    "short, long",
    [
        ("!Ref Name", {"Ref": "Name"}),
        ("!Condition HasName", {"Condition": "HasName"}),
        ("!GetAtt Bucket.Arn", {"Fn::GetAtt": ["Bucket", "Arn"]}),
        ("!GetAtt [Bucket, Arn]", {"Fn::GetAtt": ["Bucket", "Arn"]}),
        ('!Sub "${Name}-pixel"', {"Fn::Sub": "${Name}-pixel"}),
        ("!If [HasName, !Ref Name, '']", {"Fn::If": ["HasName", {"Ref": "Name"}, ""]}),
        ("!Transform {Name: Include}", {"Fn::Transform": {"Name": "Include"}}),
    ],
)
def test_short_forms_become_long_ones(short: str, long: object) -> None:
    assert cloudformation_template(f"Resources: {{Thing: {short}}}")["Resources"]["Thing"] == long


def test_sections_that_may_be_missing_are_empty() -> None:
    assert cloudformation_template("Resources: {}") == {"Parameters": {}, "Outputs": {}, "Resources": {}}


@pytest.mark.parametrize("text, reason", [("", "no Resources"), ("a: [", "while parsing")])
def test_what_is_no_template_is_refused(text: str, reason: str) -> None:
    with pytest.raises(AnsibleFilterError, match=reason):
        cloudformation_template(text)
