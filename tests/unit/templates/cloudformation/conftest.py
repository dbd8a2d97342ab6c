# SPDX-License-Identifier: GPL-3.0-or-later
"""The templates as data. What is asserted on them is what no emulator proves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.simple_analytics.pipeline.plugins.filter.cloudformation_template import cloudformation_template

TEMPLATES = Path(__file__).resolve().parents[4] / "templates" / "cloudformation"

Template = dict[str, Any]


def read(path: Path) -> Template:
    template: Template = cloudformation_template(path.read_text())
    return template


def resources(template: Template, kind: str) -> dict[str, Any]:
    """Properties of each resource of a kind, by logical id."""
    return {
        name: resource["Properties"]
        for name, resource in template["Resources"].items()
        if resource["Type"] == f"AWS::{kind}"
    }


def statements(template: Template) -> dict[str, Any]:
    """Every statement of every policy of identities, by a name that finds it again; conditional ones unwrapped."""
    documents: dict[str, Any] = {}
    for name, policy in resources(template, "IAM::ManagedPolicy").items():
        documents[name] = policy["PolicyDocument"]
    for name, role in resources(template, "IAM::Role").items():
        for policy in role["Policies"]:
            documents[f"{name}.{policy['PolicyName']}"] = policy["PolicyDocument"]
    return {
        f"{name}.{number}": statement["Fn::If"][1] if "Fn::If" in statement else statement
        for name, document in documents.items()
        for number, statement in enumerate(document["Statement"])
    }


def allowed(policy: str) -> set[str]:
    """Every action that a policy of the first stack allows."""
    found = statements(read(TEMPLATES / "cloudfront-buckets-and-stream.yml"))
    actions = [statement["Action"] for name, statement in found.items() if name.startswith(f"{policy}.")]
    return {action for each in actions for action in ([each] if isinstance(each, str) else each)}


@pytest.fixture(params=sorted(TEMPLATES.glob("*.yml")), ids=lambda path: path.stem)
def template(request: pytest.FixtureRequest) -> Template:
    """Each template in turn."""
    return read(request.param)


@pytest.fixture
def stream_template() -> Template:
    return read(TEMPLATES / "cloudfront-buckets-and-stream.yml")


@pytest.fixture
def processor_template() -> Template:
    return read(TEMPLATES / "event-processor.yml")


@pytest.fixture
def search_template() -> Template:
    return read(TEMPLATES / "elasticsearch-cluster.yml")
