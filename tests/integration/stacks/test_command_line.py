# SPDX-License-Identifier: GPL-3.0-or-later
"""The templates without Ansible: the AWS CLI alone deploys and removes them."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from tests.integration.conftest import ROOT, Emulator, uv_tool
from tests.integration.stacks.conftest import STACKS

NAME = "plain"


def aws(ministack: Emulator, *arguments: str) -> str:
    """What the AWS CLI prints."""
    run = subprocess.run(
        uv_tool("awscli==1.45.11", "aws", *arguments),
        env=ministack.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_the_aws_cli_deploys_the_templates_one_after_another(ministack: Emulator, network: dict[str, Any]) -> None:
    known = {**network, "SubnetIds": ",".join(network["SubnetIds"]), "Name": NAME, "ConsumerLatenessAlarms": "false"}
    for template in STACKS:
        body = f"file://{ROOT}/templates/cloudformation/{template}.yml"
        described = json.loads(aws(ministack, "cloudformation", "validate-template", "--template-body", body))
        wanted = [parameter["ParameterKey"] for parameter in described["Parameters"]]
        parameters = [{"ParameterKey": key, "ParameterValue": known[key]} for key in wanted if key in known]
        stack = ("--stack-name", f"{NAME}-{template}")

        aws(
            ministack,
            *("cloudformation", "create-stack", *stack, "--template-body", body),
            *("--capabilities", "CAPABILITY_NAMED_IAM", "--parameters", json.dumps(parameters)),
            *("--stack-policy-body", f"file://{ROOT}/templates/cloudformation/stack-policy.json"),
        )
        aws(ministack, "cloudformation", "wait", "stack-create-complete", *stack)

        (deployed,) = json.loads(aws(ministack, "cloudformation", "describe-stacks", *stack))["Stacks"]
        known |= {output["OutputKey"]: output["OutputValue"] for output in deployed["Outputs"]}
    assert known["StreamName"] == f"{NAME}-events"
    assert known["NodeGroupNames"] == f"{NAME}-node-1,{NAME}-node-2,{NAME}-node-3"
