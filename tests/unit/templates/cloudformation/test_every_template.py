# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for each template: nothing public, everything encrypted, no more rights than needed."""

from __future__ import annotations

import pytest

from .conftest import TEMPLATES, Template, read, resources, statements

# Actions that AWS grants on no narrower resource.
UNBOUND = {
    "cloudwatch:PutMetricData",
    "ec2:DescribeInstances",
    "ssm:UpdateInstanceInformation",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
}


def test_there_are_the_three_templates() -> None:
    assert {path.stem for path in TEMPLATES.glob("*.yml")} == {
        "cloudfront-buckets-and-stream",
        "event-processor",
        "elasticsearch-cluster",
    }


def test_a_template_fits_into_a_request() -> None:
    assert {path.name: path.stat().st_size for path in TEMPLATES.glob("*.yml") if path.stat().st_size > 51_200} == {}


def test_outputs_feed_the_later_stacks() -> None:
    stream, processor, search = (
        read(TEMPLATES / f"{name}.yml")
        for name in ("cloudfront-buckets-and-stream", "event-processor", "elasticsearch-cluster")
    )
    for earlier, later in ((stream, processor), (processor, search)):
        required = {name for name, parameter in later["Parameters"].items() if "Default" not in parameter}
        assert required - {"Name", "VpcId", "SubnetIds"} <= set(earlier["Outputs"])


def test_the_landscape_has_one_name(template: Template) -> None:
    assert template["Parameters"]["Name"]["ConstraintDescription"].startswith("must be 3 to 30 lower-case letters")


def test_every_constraint_is_explained(template: Template) -> None:
    constraints = {"AllowedPattern", "AllowedValues", "MinValue", "MaxValue"}
    unexplained = [
        name
        for name, parameter in template["Parameters"].items()
        if constraints & set(parameter) and not parameter.get("ConstraintDescription", "").startswith("must be ")
    ]
    assert unexplained == []


def test_buckets_are_private_and_encrypted_and_outlive_their_stack(template: Template) -> None:
    for name, bucket in resources(template, "S3::Bucket").items():
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}, name
        assert len(bucket["PublicAccessBlockConfiguration"]) == 4, name
        (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}, name
        assert template["Resources"][name]["DeletionPolicy"] == "RetainExceptOnCreate", name
        assert template["Resources"][name]["UpdateReplacePolicy"] == "Retain", name


def test_buckets_refuse_plain_http(template: Template) -> None:
    policies = {
        policy["Bucket"]["Ref"]: policy["PolicyDocument"]["Statement"]
        for policy in resources(template, "S3::BucketPolicy").values()
    }
    for name in resources(template, "S3::Bucket"):
        (deny,) = [statement for statement in policies[name] if statement["Effect"] == "Deny"]
        assert deny["Principal"] == "*"
        assert deny["Action"] == "s3:*"
        assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        assert deny["Resource"] == [{"Fn::GetAtt": [name, "Arn"]}, {"Fn::Sub": f"${{{name}.Arn}}/*"}]


def test_half_finished_uploads_do_not_pile_up(template: Template) -> None:
    for name, bucket in resources(template, "S3::Bucket").items():
        rules = bucket["LifecycleConfiguration"]["Rules"]
        assert [rule for rule in rules if "AbortIncompleteMultipartUpload" in rule and "Prefix" not in rule], name


def test_instances_answer_metadata_by_token_only_and_write_encrypted(template: Template) -> None:
    for name, launch_template in resources(template, "EC2::LaunchTemplate").items():
        data = launch_template["LaunchTemplateData"]
        assert data["MetadataOptions"] == {"HttpTokens": "required", "HttpPutResponseHopLimit": 1}, name
        (volume,) = data["BlockDeviceMappings"]
        assert (volume["Ebs"]["VolumeType"], volume["Ebs"]["Encrypted"]) == ("gp3", True), name
        assert "KeyName" not in data, name


def test_instances_bring_the_agent_that_lets_people_in(template: Template) -> None:
    for launch_template in resources(template, "EC2::LaunchTemplate").values():
        script = launch_template["LaunchTemplateData"]["UserData"]["Fn::Base64"]["Fn::Sub"]
        assert "debian_$(dpkg --print-architecture)/amazon-ssm-agent.deb" in script
        assert "curl" in script


def test_no_port_is_open_to_the_world(template: Template) -> None:
    assert "0.0.0.0/0" not in str(template)
    assert "::/0" not in str(template)


def test_policies_name_their_resources(template: Template) -> None:
    for name, statement in statements(template).items():
        actions = [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
        assert not [action for action in actions if "*" in action], name
        if statement["Resource"] == "*":
            assert set(actions) <= UNBOUND, name


@pytest.mark.parametrize("managed", ["AmazonSSMManagedInstanceCore", "FullAccess", "ReadOnlyAccess"])
def test_no_role_takes_a_policy_that_reads_secrets(template: Template, managed: str) -> None:
    assert managed not in str(resources(template, "IAM::Role"))


def test_groups_tag_their_instances_for_the_inventory(template: Template) -> None:
    for name, group in resources(template, "AutoScaling::AutoScalingGroup").items():
        tags = {tag["Key"]: tag["Value"] for tag in group["Tags"] if tag["PropagateAtLaunch"]}
        assert tags["simple-analytics:landscape"] == {"Ref": "Name"}, name
        assert tags["simple-analytics:group"] in {"capture", "consumers", "elasticsearch", "kibana"}, name


def test_groups_tell_of_new_instances(template: Template) -> None:
    for name, group in resources(template, "AutoScaling::AutoScalingGroup").items():
        (notification,) = group["NotificationConfigurations"]
        assert "autoscaling:EC2_INSTANCE_LAUNCH" in notification["NotificationTypes"], name


def test_no_dynamic_reference_makes_every_run_an_update() -> None:
    assert [path.name for path in TEMPLATES.glob("*.yml") if "{{resolve:" in path.read_text()] == []
