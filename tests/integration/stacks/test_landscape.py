# SPDX-License-Identifier: GPL-3.0-or-later
"""playbooks/stacks.yml on an empty account to playbooks/teardown.yml. The tests of this file follow one another."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.integration.conftest import Emulator
from tests.integration.stacks.conftest import STACKS, Landscape, changed

NAME = "landscape"
NEIGHBOUR = f"{NAME}-2"

OUTPUTS = {
    "cloudfront-buckets-and-stream": {
        "PixelBucketName",
        "LogsBucketName",
        "LogsPrefix",
        "EventsBucketName",
        "OperationsBucketName",
        "DistributionId",
        "DistributionDomainName",
        "StreamName",
        "StreamArn",
        "StreamReaderPolicyArn",
        "StreamWriterPolicyArn",
        "OperatorPolicyArn",
    },
    "event-processor": {
        "ProcessorRoleArn",
        "InstanceProfileArn",
        "CaptureGroupName",
        "ConsumersGroupName",
        "ProcessorSecurityGroupId",
        "AlarmTopicArn",
    },
    "elasticsearch-cluster": {"NodeSecurityGroupId", "ClientSecurityGroupId", "SnapshotBucketName", "NodeGroupNames"},
}


def stack(ministack: Emulator, template: str) -> dict[str, Any]:
    """The stack as CloudFormation describes it, its outputs as a dictionary."""
    described = ministack.client("cloudformation").describe_stacks(StackName=f"{NAME}-{template}")["Stacks"][0]
    return {**described, "Outputs": {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}}


def test_the_stacks_are_deployed_with_the_agreed_outputs(ministack: Emulator, landscape: Landscape) -> None:
    assert changed(landscape("playbooks/stacks.yml", NAME)) == len(STACKS) + 1

    for template in STACKS:
        described = stack(ministack, template)
        assert described["StackStatus"] == "CREATE_COMPLETE"
        assert set(described["Outputs"]) == OUTPUTS[template]
        assert described["EnableTerminationProtection"] is True
        assert {"Key": "simple-analytics:landscape", "Value": NAME} in described["Tags"]


def test_the_stack_policy_protects_what_holds_data(ministack: Emulator) -> None:
    for template in STACKS:
        body = ministack.client("cloudformation").get_stack_policy(StackName=f"{NAME}-{template}")["StackPolicyBody"]
        (deny,) = [statement for statement in json.loads(body)["Statement"] if statement["Effect"] == "Deny"]
        assert set(deny["Action"]) == {"Update:Delete", "Update:Replace"}


def test_the_pixel_lies_in_its_bucket_for_the_edges_to_cache(ministack: Emulator) -> None:
    bucket = stack(ministack, "cloudfront-buckets-and-stream")["Outputs"]["PixelBucketName"]

    pixel = ministack.client("s3").get_object(Bucket=bucket, Key="pixel.gif")

    assert pixel["ContentType"] == "image/gif"
    assert pixel["CacheControl"] == "public, max-age=86400"
    assert pixel["Body"].read().startswith(b"GIF89a")


def test_the_distribution_logs_into_the_raw_logs_bucket(ministack: Emulator) -> None:
    outputs = stack(ministack, "cloudfront-buckets-and-stream")["Outputs"]

    config = ministack.client("cloudfront").get_distribution_config(Id=outputs["DistributionId"])["DistributionConfig"]

    assert config["Logging"]["Bucket"].split(".")[0] == outputs["LogsBucketName"]
    assert config["Logging"]["Prefix"] == outputs["LogsPrefix"]
    (origin,) = config["Origins"]["Items"]
    assert origin["DomainName"].split(".")[0] == outputs["PixelBucketName"]
    assert origin["OriginAccessControlId"]


def test_parameters_go_from_stack_to_stack(ministack: Emulator) -> None:
    processor = stack(ministack, "event-processor")["Outputs"]["ProcessorSecurityGroupId"]
    node = stack(ministack, "elasticsearch-cluster")["Outputs"]["NodeSecurityGroupId"]

    (group,) = ministack.client("ec2").describe_security_groups(GroupIds=[node])["SecurityGroups"]

    allowed = {pair["GroupId"] for rule in group["IpPermissions"] for pair in rule["UserIdGroupPairs"]}
    assert processor in allowed
    assert [rule["IpRanges"] for rule in group["IpPermissions"] if rule["IpRanges"]] == []


def test_a_second_run_changes_nothing(landscape: Landscape) -> None:
    assert changed(landscape("playbooks/stacks.yml", NAME)) == 0


@pytest.mark.parametrize(
    "variables, sentence",
    [
        (
            {"simple_analytics_name": "My_Analytics"},
            "simple_analytics_name is 'My_Analytics'; it must be 3 to 30 lower-case",
        ),
        (
            {"cloudfront_buckets_and_stream_parameters": {"StreamRetentionHours": 12}},
            "cloudfront_buckets_and_stream_parameters.StreamRetentionHours is 12; it must be 24 to 8760 hours",
        ),
        (
            {"cloudfront_buckets_and_stream_parameters": {"DomainName": "pixel.example.org"}},
            "cloudfront_buckets_and_stream_parameters: DomainName needs CertificateArn",
        ),
        ({"event_processor_parameters": {}}, "event_processor_parameters.VpcId is not set; it must be the id of a VPC"),
        (
            {"elasticsearch_cluster_parameters": {"VpcId": "vpc-1", "SubnetIds": ["subnet-1", "subnet-2"]}},
            "elasticsearch_cluster_parameters.SubnetIds names 2 of the 3 subnets that 3 nodes need",
        ),
    ],
)
def test_wrong_variables_stop_before_anything_is_touched(
    landscape: Landscape, variables: dict[str, object], sentence: str
) -> None:
    run = landscape("playbooks/stacks.yml", "refused", **variables)

    assert run.returncode != 0
    assert sentence in run.stdout
    assert "Describe the stack" not in run.stdout


def buckets(ministack: Emulator) -> set[str]:
    """What the buckets of the landscape are for."""
    names = [bucket["Name"] for bucket in ministack.client("s3").list_buckets()["Buckets"]]
    purposes = {name.removeprefix(f"{NAME}-") for name in names if name.startswith(f"{NAME}-")}
    return {purpose.removesuffix(f"-{ministack.account}") for purpose in purposes}


def secrets(ministack: Emulator, name: str) -> list[str]:
    """The values of a landscape's secrets."""
    found = ministack.client("ssm").get_parameters_by_path(Path=f"/{name}/", WithDecryption=True)["Parameters"]
    return [parameter["Value"] for parameter in found]


def tables(ministack: Emulator) -> list[str]:
    """Lease tables of all landscapes."""
    names: list[str] = ministack.client("dynamodb").list_tables()["TableNames"]
    return names


@pytest.fixture(scope="module")
def data(ministack: Emulator) -> dict[str, str]:
    """What a landscape gathers, for this one and for another whose name begins like it; the address of an event."""
    for name in (NAME, NEIGHBOUR):
        ministack.client("ssm").put_parameter(Name=f"/{name}/visitor_secret", Value="secret", Type="SecureString")
        ministack.client("dynamodb").create_table(
            TableName=f"{name}-archiver",
            KeySchema=[{"AttributeName": "leaseKey", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "leaseKey", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    ministack.client("s3").create_bucket(Bucket=f"{NEIGHBOUR}-events-{ministack.account}")
    archived = {
        "Bucket": f"{NAME}-events-{ministack.account}",
        "Key": "events/dt=2026-11-24/hour=23/1.json.gz",
    }
    ministack.client("s3").put_object(**archived, Body=b"an event")
    return archived


@pytest.mark.parametrize("typed", [(), ("--extra-vars", "teardown=another")], ids=["nothing", "another name"])
def test_a_teardown_without_the_name_says_what_it_would_destroy_and_stops(
    ministack: Emulator, landscape: Landscape, typed: tuple[str, ...]
) -> None:
    run = landscape("playbooks/teardown.yml", NAME, *typed)

    assert run.returncode != 0
    assert f"name the landscape: -e teardown={NAME}" in run.stdout
    assert f'"Stream": "{NAME}-events"' in run.stdout
    assert stack(ministack, "elasticsearch-cluster")["StackStatus"] == "CREATE_COMPLETE"


def test_a_name_that_is_none_destroys_nothing(landscape: Landscape) -> None:
    run = landscape("playbooks/teardown.yml", "", "--extra-vars", "teardown_data=true")

    assert run.returncode != 0
    assert "simple_analytics_name is ''; it must be 3 to 30 lower-case" in run.stdout


def test_a_check_of_a_teardown_announces_it_and_destroys_nothing(
    ministack: Emulator, landscape: Landscape, data: dict[str, str]
) -> None:
    before = buckets(ministack)

    run = landscape("playbooks/teardown.yml", NAME, "--check", "--extra-vars", f"teardown={NAME} teardown_data=true")

    # Three stacks; buckets, tables and secrets in a task each.
    assert changed(run) == len(STACKS) + 3
    assert f'"/{NAME}/visitor_secret"' in run.stdout
    assert f'"{NAME}-archiver"' in run.stdout
    assert f"{NAME}-archiver-CoordinatorState" not in run.stdout
    assert NEIGHBOUR not in run.stdout
    assert {stack(ministack, template)["StackStatus"] for template in STACKS} == {"CREATE_COMPLETE"}
    assert {stack(ministack, template)["EnableTerminationProtection"] for template in STACKS} == {True}
    assert buckets(ministack) == before
    assert ministack.client("s3").get_object(**data)["Body"].read() == b"an event"
    assert secrets(ministack, NAME) == ["secret"]
    assert f"{NAME}-archiver" in tables(ministack)


def test_a_teardown_keeps_the_data(ministack: Emulator, landscape: Landscape, data: dict[str, str]) -> None:
    run = landscape("playbooks/teardown.yml", NAME, "--extra-vars", f"teardown={NAME}")

    # Three stacks, two buckets in one task, one table in another.
    assert changed(run) == len(STACKS) + 2
    assert buckets(ministack) == {"logs", "events", "snapshots", "2-events"}
    assert ministack.client("s3").get_object(**data)["Body"].read() == b"an event"
    assert secrets(ministack, NAME) == ["secret"]
    assert f"{NAME}-archiver" not in tables(ministack)
    remaining = ministack.client("cloudformation").describe_stacks()["Stacks"]
    assert [described for described in remaining if described["StackName"].startswith(f"{NAME}-")] == []


def test_a_teardown_takes_the_data_along_when_told_but_no_neighbour(ministack: Emulator, landscape: Landscape) -> None:
    run = landscape("playbooks/teardown.yml", NAME, "--extra-vars", f"teardown={NAME} teardown_data=true")

    assert changed(run) == 2
    assert buckets(ministack) == {"2-events"}
    assert secrets(ministack, NAME) == []
    assert secrets(ministack, NEIGHBOUR) == ["secret"]
    assert f"{NEIGHBOUR}-archiver" in tables(ministack)
