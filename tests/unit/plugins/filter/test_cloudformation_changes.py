# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible_collections.simple_analytics.pipeline.plugins.filter.cloudformation_changes import cloudformation_changes


def change(action: str, name: str, replacement: str | None = None, *targets: dict[str, str]) -> dict[str, Any]:
    """A change as CloudFormation describes it."""
    described = {"Action": action, "LogicalResourceId": name, "ResourceType": "AWS::S3::Bucket"}
    details = [{"Target": target} for target in targets]
    return {
        "Type": "Resource",
        "ResourceChange": {**described, **({"Replacement": replacement} if replacement else {}), "Details": details},
    }


def test_what_loses_data_comes_first() -> None:
    changes = [
        change("Add", "New"),
        change("Modify", "Touched", "False", {"Attribute": "Tags"}),
        change("Modify", "Perhaps", "Conditional"),
        change("Remove", "Gone"),
        change("Modify", "Replaced", "True", {"Attribute": "Properties", "Name": "BucketName"}),
    ]

    assert cloudformation_changes(changes) == [
        "REPLACE Replaced (AWS::S3::Bucket): BucketName",
        "REMOVE Gone (AWS::S3::Bucket)",
        "may REPLACE Perhaps (AWS::S3::Bucket)",
        "modify Touched (AWS::S3::Bucket): Tags",
        "add New (AWS::S3::Bucket)",
    ]


def test_a_property_is_named_once() -> None:
    target = {"Attribute": "Properties", "Name": "BucketName"}

    (line,) = cloudformation_changes([change("Modify", "Bucket", "False", target, target)])

    assert line == "modify Bucket (AWS::S3::Bucket): BucketName"


def test_no_changes_are_no_lines() -> None:
    assert cloudformation_changes([]) == []
