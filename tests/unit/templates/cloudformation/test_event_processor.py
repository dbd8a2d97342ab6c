# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from .conftest import Template, resources, statements


def granted(template: Template, sid: str) -> tuple[set[str], str]:
    """Actions of the statement of that name, and its resources as text."""
    (statement,) = [statement for statement in statements(template).values() if statement["Sid"] == sid]
    return set(statement["Action"]), str(statement["Resource"])


def test_nobody_connects_to_processors(processor_template: Template) -> None:
    group = resources(processor_template, "EC2::SecurityGroup")["ProcessorSecurityGroup"]
    assert "SecurityGroupIngress" not in group


def test_one_instance_captures(processor_template: Template) -> None:
    group = resources(processor_template, "AutoScaling::AutoScalingGroup")["CaptureGroup"]
    assert (group["MinSize"], group["MaxSize"], group["DesiredCapacity"]) == ("1", "1", "1")


def test_raw_logs_are_moved_and_nothing_else(processor_template: Template) -> None:
    moved, prefixes = granted(processor_template, "MoveReadObjects")
    assert moved == {"s3:GetObject", "s3:DeleteObject"}
    assert "/cloudfront/*" in prefixes
    kept, prefixes = granted(processor_template, "KeepReadObjects")
    assert kept == {"s3:GetObject", "s3:PutObject"}
    assert "/Processed/*" in prefixes


def test_the_archive_is_appended_to(processor_template: Template) -> None:
    actions, prefixes = granted(processor_template, "AppendAndReadBack")
    assert actions == {"s3:PutObject", "s3:GetObject", "s3:AbortMultipartUpload"}
    for prefix in ("events", "malformed", "undeliverable"):
        assert f"/{prefix}/*" in prefixes


def test_leases_of_every_client_library_can_be_kept(processor_template: Template) -> None:
    _actions, tables = granted(processor_template, "KeepLeases")
    for application in ("archiver", "indexer"):
        for table in ("", "-CoordinatorState", "-WorkerMetricStats", "/index/*"):
            assert f"table/${{Name}}-{application}{table}'" in tables


def test_metrics_go_into_own_namespaces_only(processor_template: Template) -> None:
    (statement,) = [entry for entry in statements(processor_template).values() if entry["Sid"] == "PublishMetrics"]
    assert statement["Condition"]["StringEquals"]["cloudwatch:namespace"] == [
        "SimpleAnalytics",
        {"Fn::Sub": "${Name}-archiver"},
        {"Fn::Sub": "${Name}-indexer"},
    ]


def test_alarms_tell_the_topic_and_take_it_back(processor_template: Template) -> None:
    alarms = resources(processor_template, "CloudWatch::Alarm")
    assert set(alarms) == {
        "StreamReadLateAlarm",
        "ArchiverLateAlarm",
        "IndexerLateAlarm",
        "WriteThrottledAlarm",
        "LogsWaitingAlarm",
        "DeadLettersAlarm",
        "LedgerLostAlarm",
    }
    for name, alarm in alarms.items():
        assert alarm["AlarmActions"] == alarm["OKActions"] == [{"Ref": "AlarmTopic"}], name


def test_lateness_is_the_greatest_of_all_shards_and_workers(processor_template: Template) -> None:
    for name, application in (("ArchiverLateAlarm", "archiver"), ("IndexerLateAlarm", "indexer")):
        (query,) = resources(processor_template, "CloudWatch::Alarm")[name]["Metrics"]
        assert query["Expression"] == {"Fn::Sub": f'SELECT MAX(MillisBehindLatest) FROM "${{Name}}-{application}"'}
