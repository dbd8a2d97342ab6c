# SPDX-License-Identifier: GPL-3.0-or-later
"""The role cloudformation_stack with templates of one or two resources."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.exceptions import WaiterError

from tests.integration.conftest import Emulator, Playbook
from tests.integration.stacks.conftest import changed

Role = Callable[..., subprocess.CompletedProcess[str]]

BUCKET = """
Parameters:
  BucketName: {Type: String}
  Versioning: {Type: String, Default: Suspended, AllowedValues: [Enabled, Suspended]}
Resources:
  Bucket:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: !Ref BucketName
      VersioningConfiguration: {Status: !Ref Versioning}
Outputs:
  Arn: {Value: !GetAtt Bucket.Arn}
"""

# The second resource fails, and only when it is made.
FAILING = """
Resources:
  Queue:
    Type: AWS::SQS::Queue
  Topic:
    Type: AWS::SNS::Topic
    DependsOn: Queue
    Properties:
      TopicName: !ImportValue exported-by-nobody
"""

SECRETIVE = """
Parameters:
  Secret: {Type: String, NoEcho: true, Default: ""}
Resources:
  Queue: {Type: AWS::SQS::Queue, Properties: {QueueName: secretive}}
  Parameter: {Type: AWS::SSM::Parameter, Properties: {Name: secretive, Type: String, Value: !Ref Secret}}
"""


@pytest.fixture
def role(ministack: Emulator, run_playbook: Playbook) -> Role:
    """Runs the role with the given variables, written without their prefix."""

    def run(*arguments: str, **variables: object) -> subprocess.CompletedProcess[str]:
        prefixed = {f"cloudformation_stack_{name}": value for name, value in variables.items()}
        connection = {"region": "us-east-1", "endpoint_url": ministack.url}
        extra = json.dumps({"cloudformation_stack_aws_connection": connection, **prefixed})
        return run_playbook(Path(__file__).with_name("role.yml"), "nobody,", "--extra-vars", extra, *arguments)

    return run


def statuses(ministack: Emulator, name: str) -> list[str]:
    """Statuses of the stacks of that name that are not deleted."""
    stacks = ministack.client("cloudformation").describe_stacks()["Stacks"]
    return [stack["StackStatus"] for stack in stacks if stack["StackName"] == name]


def test_a_stack_is_deployed_previewed_protected_and_removed(ministack: Emulator, role: Role) -> None:
    first = {"name": "life", "template": BUCKET, "inherited": {"BucketName": "life-1", "Other": "not asked for"}}

    deployed = role(**first)
    assert changed(deployed) == 1
    assert '"Arn": "arn:aws:s3:::life-1"' in deployed.stdout

    previewed = role("--check", **{**first, "parameters": {"BucketName": "life-2", "Versioning": "Enabled"}})
    assert changed(previewed) == 1
    assert "REPLACE Bucket (AWS::S3::Bucket): BucketName, VersioningConfiguration" in previewed.stdout
    assert '"termination protection": "stays"' in previewed.stdout

    unprotected = role("--check", **first, termination_protection=False)
    assert changed(unprotected) == 1
    assert '"termination protection": "changes"' in unprotected.stdout
    assert changed(role(**first)) == 0
    (described,) = ministack.client("cloudformation").describe_stacks(StackName="life")["Stacks"]
    assert described["EnableTerminationProtection"] is True

    assert changed(role(name="life", state="absent")) >= 1
    assert statuses(ministack, "life") == []
    assert changed(role(name="life", state="absent")) == 0


def test_a_failed_creation_is_explained_by_its_first_failure_and_leaves_nothing(
    ministack: Emulator, role: Role
) -> None:
    run = role(name="failing", template=FAILING)

    assert run.returncode != 0
    assert "Failed to create stack failing: AWS::SNS::Topic Topic CREATE_FAILED: " in run.stdout
    assert "exported-by-nobody" in run.stdout
    assert "Nothing of the stack is left" in run.stdout
    assert statuses(ministack, "failing") == []


def test_what_an_interrupted_run_left_behind_is_removed_first(ministack: Emulator, role: Role) -> None:
    cloudformation = ministack.client("cloudformation")
    cloudformation.create_stack(StackName="leftover", TemplateBody=FAILING)
    with pytest.raises(WaiterError, match="ROLLBACK_COMPLETE"):
        cloudformation.get_waiter("stack_create_complete").wait(StackName="leftover", WaiterConfig={"Delay": 1})
    stack = {"name": "leftover", "template": BUCKET, "parameters": {"BucketName": "leftover"}}

    assert changed(role("--check", **stack)) == 1
    assert statuses(ministack, "leftover") == ["ROLLBACK_COMPLETE"]
    assert changed(role(**stack)) == 2
    assert statuses(ministack, "leftover") == ["CREATE_COMPLETE"]


def test_a_failed_update_is_explained_and_rolled_back(ministack: Emulator, role: Role) -> None:
    first = {"name": "update", "template": BUCKET, "parameters": {"BucketName": "update"}}
    assert changed(role(**first)) == 1
    broken = BUCKET.replace("Outputs:", FAILING.replace("\nResources:\n", "") + "Outputs:")

    run = role(**{**first, "template": broken})

    assert run.returncode != 0
    assert "Failed to update stack update: AWS::SNS::Topic Topic UPDATE_FAILED: " in run.stdout
    assert "AWS has rolled the stack back" in run.stdout
    assert statuses(ministack, "update") == ["UPDATE_ROLLBACK_COMPLETE"]


def test_a_refused_update_is_not_called_rolled_back(ministack: Emulator, role: Role) -> None:
    first = {"name": "refused", "template": BUCKET, "parameters": {"BucketName": "refused"}}
    assert changed(role(**first)) == 1

    run = role(**first, tags={f"tag-{number}": "one of more than fifty" for number in range(60)})

    assert run.returncode != 0
    assert "Nothing of the stack was changed; correct the cause" in run.stdout
    assert statuses(ministack, "refused") == ["CREATE_COMPLETE"]


def test_a_secret_parameter_is_never_shown(ministack: Emulator, role: Role) -> None:
    stack = {"name": "secretive", "template": SECRETIVE, "parameters": {"Secret": "open-sesame"}}
    broken = SECRETIVE + FAILING.replace("\nResources:\n  Queue:\n    Type: AWS::SQS::Queue", "")

    deployed = role("-vvv", "--diff", **stack)
    failed = role("-vvv", "--diff", **{**stack, "template": broken})

    assert changed(deployed) == 1
    assert ministack.client("ssm").get_parameter(Name="secretive")["Parameter"]["Value"] == "open-sesame"
    assert "Failed to update stack secretive: AWS::SNS::Topic Topic UPDATE_FAILED: " in failed.stdout
    assert "open-sesame" not in deployed.stdout + deployed.stderr + failed.stdout + failed.stderr


@pytest.mark.parametrize(
    "variables, sentence",
    [
        (
            {"parameters": {"BucketName": "x", "Versioning": "On"}},
            "cloudformation_stack_parameters.Versioning is On; it must meet the constraints of the template.",
        ),
        ({"parameters": {}}, "cloudformation_stack_parameters.BucketName is not set; it is required."),
    ],
)
def test_wrong_parameters_stop_it(ministack: Emulator, role: Role, variables: dict[str, object], sentence: str) -> None:
    run = role(name="wrong", template=BUCKET, **variables)

    assert run.returncode != 0
    assert sentence in run.stdout
    assert statuses(ministack, "wrong") == []
