# SPDX-License-Identifier: GPL-3.0-or-later
"""A landscape's variables, as an inventory would give them."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.conftest import Emulator, Playbook

Landscape = Callable[..., subprocess.CompletedProcess[str]]

STACKS = ("cloudfront-buckets-and-stream", "event-processor", "elasticsearch-cluster")


def changed(run: subprocess.CompletedProcess[str]) -> int:
    """How many tasks changed something, by the recap of a run that ended well."""
    assert run.returncode == 0, run.stdout + run.stderr
    recap = re.search(r"^localhost +: .*changed=(\d+) ", run.stdout, re.MULTILINE)
    assert recap, run.stdout
    return int(recap[1])


@pytest.fixture(scope="session")
def network(ministack: Emulator) -> dict[str, Any]:
    """The default VPC, and an image under a name that may be written: AWS keeps /aws/ to itself."""
    ec2 = ministack.client("ec2")
    ministack.client("ssm").put_parameter(Name="/test/image", Value="ami-0123456789abcdef0", Type="String")
    return {
        "VpcId": ec2.describe_vpcs()["Vpcs"][0]["VpcId"],
        "SubnetIds": [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]],
        "Image": "/test/image",
    }


@pytest.fixture(scope="session")
def landscape(ministack: Emulator, run_playbook: Playbook, network: dict[str, Any]) -> Landscape:
    """Runs a playbook for the landscape of a name, its variables overridden by keywords."""

    def run(playbook: str, name: str, *arguments: str, **variables: object) -> subprocess.CompletedProcess[str]:
        defaults = {
            "simple_analytics_name": name,
            "simple_analytics_region": "us-east-1",
            "simple_analytics_aws_connection": {"region": "us-east-1", "endpoint_url": ministack.url},
            "cloudfront_buckets_and_stream_parameters": {"StreamShards": 2},
            # CloudFormation of the emulator makes no alarm out of a query.
            "event_processor_parameters": {**network, "ConsumerLatenessAlarms": False},
            "elasticsearch_cluster_parameters": network,
        }
        return run_playbook(playbook, "nobody,", "--extra-vars", json.dumps({**defaults, **variables}), *arguments)

    return run
