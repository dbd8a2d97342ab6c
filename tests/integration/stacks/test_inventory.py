# SPDX-License-Identifier: GPL-3.0-or-later
"""inventories/aws itself, against the emulated AWS, which it finds by AWS_ENDPOINT_URL alone."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.conftest import PROGRAMS, ROOT, Emulator

INVENTORY = "inventories/aws"
NAME = "analytics-prod"


def start_instance(ministack: Emulator, landscape: str, group: str) -> str:
    """An instance as its auto scaling group would tag it; the emulator's groups start none."""
    tags = {"Name": f"{landscape}-{group}", "simple-analytics:landscape": landscape, "simple-analytics:group": group}
    started = ministack.client("ec2").run_instances(
        ImageId="ami-0123456789abcdef0",
        MinCount=1,
        MaxCount=1,
        TagSpecifications=[
            {"ResourceType": "instance", "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}
        ],
    )
    identifier: str = started["Instances"][0]["InstanceId"]
    return identifier


@pytest.fixture
def instances(ministack: Emulator) -> Iterator[list[str]]:
    """One instance for capture, two consumers, and one of another landscape."""
    groups = [(NAME, "capture"), (NAME, "consumers"), (NAME, "consumers"), ("another", "capture")]
    identifiers = [start_instance(ministack, landscape, group) for landscape, group in groups]
    yield identifiers
    ministack.client("ec2").terminate_instances(InstanceIds=identifiers)


def inventory(ministack: Emulator) -> dict[str, Any]:
    listed = subprocess.run(
        [str(PROGRAMS / "ansible-inventory"), "--inventory", INVENTORY, "--list"],
        cwd=ROOT,
        env=ministack.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    hosts: dict[str, Any] = json.loads(listed.stdout)
    return hosts


def test_instances_are_found_in_their_groups_with_an_address(ministack: Emulator, instances: list[str]) -> None:
    capture, first, second, _another = instances

    hosts = inventory(ministack)

    assert hosts["capture"]["hosts"] == [f"{NAME}-capture_{capture}"]
    assert sorted(hosts["consumers"]["hosts"]) == sorted([f"{NAME}-consumers_{first}", f"{NAME}-consumers_{second}"])
    variables = hosts["_meta"]["hostvars"][f"{NAME}-capture_{capture}"]
    described = ministack.client("ec2").describe_instances(InstanceIds=[capture])["Reservations"][0]["Instances"][0]
    assert variables["simple_analytics_address"]["__ansible_unsafe"] == described["PrivateIpAddress"]
    assert variables["ansible_connection"] == "amazon.aws.aws_ssm"
