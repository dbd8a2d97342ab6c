# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of an account that has nothing say what would be made, and make nothing;
secrets/ has that of the secrets, artifact/ that of all together."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.integration.conftest import NETWORK, Emulator, Playbook
from tests.integration.stacks.conftest import STACKS, changed

NAME = "analytics-prod"


@pytest.fixture
def account(ministack: Emulator) -> Emulator:
    """An account that no other test uses."""
    return replace(ministack, account="100000000001")


def holdings(account: Emulator) -> dict[str, list[Any]]:
    """What playbooks might have made."""
    return {
        "buckets": account.client("s3").list_buckets()["Buckets"],
        "parameters": account.client("ssm").describe_parameters()["Parameters"],
        "roles": account.client("iam").list_roles()["Roles"],
        "stacks": account.client("cloudformation").list_stacks()["StackSummaries"],
        "streams": account.client("kinesis").list_streams()["StreamNames"],
        "tables": account.client("dynamodb").list_tables()["TableNames"],
    }


@pytest.mark.parametrize(
    "playbook, changes, sentences",
    [
        (
            "stacks",
            len(STACKS),
            [
                f'"{NAME}-cloudfront-buckets-and-stream"',
                '"Stream": "AWS::Kinesis::Stream"',
                f'"{NAME}-event-processor"',
                '"AlarmSubscription": "AWS::SNS::Subscription if HasAlarmEmail"',
                '"StreamReaderPolicyArn"',
                f'"{NAME}-elasticsearch-cluster"',
            ],
        ),
        ("search", 0, ["No host yet in inventory group elasticsearch (0 of 1), for"]),
        (
            "processors",
            0,
            ["group capture (0 of 1), consumers (0 of 1), elasticsearch (0 of 1), for"],
        ),
        ("dashboards", 0, ["group consumers (0 of 1), elasticsearch (0 of 1), kibana (0 of 1), for"]),
    ],
    ids=["stacks", "search", "processors", "dashboards"],
)
def test_a_check_says_what_would_be_made_and_makes_nothing(
    account: Emulator, run_playbook: Playbook, playbook: str, changes: int, sentences: list[str]
) -> None:
    arguments = ("--check", "--diff", "--extra-vars", json.dumps(NETWORK))
    run = run_playbook(f"playbooks/{playbook}.yml", "inventories/aws", *arguments, aws=account)

    assert changed(run) == changes
    found = [run.stdout.find(sentence) for sentence in sentences]
    assert -1 not in found, run.stdout
    assert found == sorted(found)
    assert "undefined" not in (run.stdout + run.stderr).lower()
    assert {kind: held for kind, held in holdings(account).items() if held} == {}


def test_the_network_must_be_named_first(account: Emulator, run_playbook: Playbook) -> None:
    run = run_playbook("playbooks/stacks.yml", "inventories/aws", "--check", aws=account)

    assert run.returncode != 0
    for stack in ("event_processor", "elasticsearch_cluster"):
        assert f"{stack}_parameters.VpcId is empty; it must be the id of a VPC (vpc-" in run.stdout
        assert f"{stack}_parameters.SubnetIds is empty; it must be a list of subnet ids (subnet-" in run.stdout
    assert "Describe the stack" not in run.stdout
