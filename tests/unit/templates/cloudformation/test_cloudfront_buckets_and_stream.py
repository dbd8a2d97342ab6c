# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re

import pytest

from tests.collection_copy import ROOT

from .conftest import Template, allowed, resources


def lifecycle(template: Template, bucket: str) -> dict[str, dict[str, object]]:
    """Rules of a bucket by their id."""
    rules = resources(template, "S3::Bucket")[bucket]["LifecycleConfiguration"]["Rules"]
    return {rule["Id"]: rule for rule in rules}


def test_cloudfront_can_write_its_logs(stream_template: Template) -> None:
    logs = resources(stream_template, "S3::Bucket")["LogsBucket"]
    assert logs["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]}


def test_nobody_else_uses_access_lists(stream_template: Template) -> None:
    for name, bucket in resources(stream_template, "S3::Bucket").items():
        if name != "LogsBucket":
            assert bucket["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}


def test_raw_logs_and_malformed_lines_expire(stream_template: Template) -> None:
    assert lifecycle(stream_template, "LogsBucket")["expire-raw-logs"]["ExpirationInDays"] == {
        "Ref": "RawLogsRetentionDays"
    }
    malformed = lifecycle(stream_template, "EventsBucket")["expire-malformed-lines"]
    assert (malformed["Prefix"], malformed["ExpirationInDays"]) == ("malformed/", {"Ref": "MalformedRetentionDays"})
    assert malformed["NoncurrentVersionExpiration"] == {"NoncurrentDays": 1}
    for name in ("RawLogsRetentionDays", "MalformedRetentionDays"):
        assert stream_template["Parameters"][name]["Default"] == 90


def test_the_archive_does_not_expire(stream_template: Template) -> None:
    rules = lifecycle(stream_template, "EventsBucket").values()
    assert [rule["Prefix"] for rule in rules if "ExpirationInDays" in rule] == ["malformed/"]


def test_files_on_their_way_to_instances_live_for_a_day_and_leave_no_version(stream_template: Template) -> None:
    rule = lifecycle(stream_template, "OperationsBucket")["expire-file-transfers"]
    assert (rule["Prefix"], rule["ExpirationInDays"]) == ("i-", 1)
    assert "VersioningConfiguration" not in resources(stream_template, "S3::Bucket")["OperationsBucket"]


def test_only_the_distribution_reads_the_pixel(stream_template: Template) -> None:
    policy = resources(stream_template, "S3::BucketPolicy")["PixelBucketPolicy"]["PolicyDocument"]
    (allow,) = [statement for statement in policy["Statement"] if statement["Effect"] == "Allow"]
    assert allow["Principal"] == {"Service": "cloudfront.amazonaws.com"}
    assert allow["Action"] == "s3:GetObject"
    assert allow["Condition"]["StringEquals"]["AWS:SourceArn"]["Fn::Sub"].endswith(":distribution/${Distribution}")


def test_the_query_is_no_part_of_the_cache_key(stream_template: Template) -> None:
    config = resources(stream_template, "CloudFront::CachePolicy")["CachePolicy"]["CachePolicyConfig"]
    key = config["ParametersInCacheKeyAndForwardedToOrigin"]
    assert key["QueryStringsConfig"] == {"QueryStringBehavior": "none"}
    assert key["CookiesConfig"] == {"CookieBehavior": "none"}
    assert key["HeadersConfig"] == {"HeaderBehavior": "none"}


def test_browsers_of_any_origin_ask_again_each_time(stream_template: Template) -> None:
    policies = resources(stream_template, "CloudFront::ResponseHeadersPolicy")
    config = policies["ResponseHeadersPolicy"]["ResponseHeadersPolicyConfig"]
    assert config["CustomHeadersConfig"]["Items"] == [
        {"Header": "Cache-Control", "Value": "no-store", "Override": True}
    ]
    assert config["CorsConfig"]["AccessControlAllowOrigins"] == {"Items": ["*"]}
    assert config["CorsConfig"]["AccessControlAllowCredentials"] is False


def test_the_distribution_speaks_https_only(stream_template: Template) -> None:
    config = resources(stream_template, "CloudFront::Distribution")["Distribution"]["DistributionConfig"]
    assert config["DefaultCacheBehavior"]["ViewerProtocolPolicy"] == "https-only"
    assert config["HttpVersion"] == "http2and3"
    own = config["ViewerCertificate"]["Fn::If"][1]
    assert own["MinimumProtocolVersion"] == "TLSv1.2_2021"
    assert config["Logging"]["Prefix"] == stream_template["Outputs"]["LogsPrefix"]["Value"] == "cloudfront/"


def test_the_stream_is_encrypted(stream_template: Template) -> None:
    encryption = resources(stream_template, "Kinesis::Stream")["Stream"]["StreamEncryption"]
    assert encryption["EncryptionType"] == "KMS"
    assert encryption["KeyId"]["Fn::If"] == ["HasStreamKey", {"Ref": "StreamKeyArn"}, "alias/aws/kinesis"]


@pytest.mark.parametrize(
    "parameter, accepted, refused",
    [
        ("Name", "analytics-prod", "Analytics"),
        ("Name", "a1b", "sthree-mine"),
        ("Name", "a" * 30, "a" * 31),
        (
            "CertificateArn",
            "arn:aws:acm:us-east-1:123456789012:certificate/1",
            "arn:aws:acm:eu-west-1:123456789012:certificate/1",
        ),
        (
            "WebAclArn",
            "arn:aws:wafv2:us-east-1:123456789012:global/webacl/a",
            "arn:aws:wafv2:us-east-1:123456789012:regional/webacl/a",
        ),
        ("DomainName", "pixel.example.org", "https://pixel.example.org"),
    ],
)
def test_patterns(stream_template: Template, parameter: str, accepted: str, refused: str) -> None:
    pattern = stream_template["Parameters"][parameter]["AllowedPattern"]
    assert re.fullmatch(pattern, accepted)
    assert not re.fullmatch(pattern, refused)


def test_operators_may_do_what_the_documentation_says() -> None:
    table = re.findall(r"^\| (`.+) \|.*\|$", (ROOT / "docs" / "rewind.md").read_text(), re.MULTILINE)
    assert allowed("OperatorPolicy") == set(re.findall(r"`([a-z0-9]+:[A-Za-z]+)`", " ".join(table)))
