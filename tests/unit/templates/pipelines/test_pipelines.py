# SPDX-License-Identifier: GPL-3.0-or-later
"""The rendered pipelines, from the role's own defaults and the values of a landscape."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROOT = Path(__file__).resolve().parents[4]
ROLE = ROOT / "roles" / "event_pipelines"
FLOWS = ["capture", "archiver", "indexer", "undeliverable"]
LANDSCAPE = {
    "ansible_managed": "Ansible managed",
    "event_pipelines_elasticsearch_hosts": ["https://192.0.2.31:9200", "https://192.0.2.32:9200"],
    "event_pipelines_run": FLOWS,
    "role_path": str(ROLE),
    "simple_analytics_aws_endpoint_url": "",
    "simple_analytics_name": "analytics-test",
    "simple_analytics_outputs": {
        "EventsBucketName": "analytics-test-events",
        "LogsBucketName": "analytics-test-logs",
        "LogsPrefix": "cloudfront/",
        "StreamName": "analytics-test-events",
    },
    "simple_analytics_pixel_path": r"^/pixel\.gif$",
    "simple_analytics_region": "eu-central-1",
}

Pipeline = dict[str, Any]


def evaluate(expression: str, **variables: object) -> list[dict[str, Any]]:
    loader = DataLoader()
    defaults = loader.load_from_file(str(ROLE / "defaults" / "main.yml"), trusted_as_template=True)
    templar = Templar(loader=loader, variables={**defaults, **LANDSCAPE, **variables})
    return list(templar.template(trust_as_template("{{ " + expression + " }}")))


def render(**variables: object) -> dict[str, Pipeline]:
    """Pipelines by id, as the role hands them to the role `logstash`."""
    lookup = "lookup('ansible.builtin.template', role_path ~ '/templates/logstash_pipelines.yml.j2') | from_yaml"
    return {pipeline["id"]: pipeline for pipeline in evaluate(lookup, **variables)}


def configuration(pipeline: Pipeline) -> str:
    return "".join(f"# {file['name']}\n{file['content']}" for file in pipeline["files"])


@pytest.fixture(scope="module")
def pipelines() -> dict[str, Pipeline]:
    return render()


@pytest.mark.parametrize("flow", FLOWS)
def test_flow_renders_to_the_text_on_file(pipelines: dict[str, Pipeline], flow: str) -> None:
    golden = Path(__file__).parent / "golden" / f"{flow}.conf"
    assert configuration(pipelines[flow]) == golden.read_text()


@pytest.mark.parametrize("kind", ["inputs", "outputs"])
def test_flows_use_every_input_and_output_and_no_other(kind: str) -> None:
    defined = {item["name"] for item in evaluate(f"event_pipelines_{kind}")}
    assert {name for flow in evaluate("event_pipelines_flows") for name in flow[kind]} == defined


def test_only_the_flows_of_this_host_are_rendered() -> None:
    assert list(render(event_pipelines_run=["indexer"])) == ["indexer"]


def test_script_is_the_file_that_the_filter_names(pipelines: dict[str, Pipeline]) -> None:
    for flow, pipeline in pipelines.items():
        source = ROOT / "templates" / "pipelines" / "scripts" / pipeline["script"]["name"]
        assert pipeline["script"]["content"] == source.read_text()
        assert f'path => "/etc/logstash/scripts/{pipeline["script"]["name"]}"' in configuration(pipelines[flow])


def test_events_and_all_others_part_at_the_outputs_of_capture(pipelines: dict[str, Pipeline]) -> None:
    outputs = configuration(pipelines["capture"]).partition("# 90-output-")[2]
    conditions = re.findall(r"^  if (.+) \{$", outputs, re.MULTILINE)
    assert sorted(conditions) == ['[@metadata][route] != "event"', '[@metadata][route] == "event"']


def test_plugins_of_a_pipeline_have_ids_of_their_own(pipelines: dict[str, Pipeline]) -> None:
    for pipeline in pipelines.values():
        ids = re.findall(r'\bid => "(.+)"', configuration(pipeline))
        assert len(ids) == len(set(ids)) > 0


def test_no_two_plugins_share_a_temporary_directory(pipelines: dict[str, Pipeline]) -> None:
    text = "".join(map(configuration, pipelines.values()))
    directories = re.findall(r'temporary_directory => "(.+)"', text)
    assert len(directories) == len(set(directories)) == text.count(" s3 {")


def test_an_endpoint_reaches_every_plugin_that_speaks_to_aws() -> None:
    text = "".join(map(configuration, render(simple_analytics_aws_endpoint_url="http://192.0.2.2:4566").values()))
    assert text.count('endpoint => "http://192.0.2.2:4566"') == text.count(" s3 {") + text.count(" kinesis_stream {")
    assert text.count(" s3 {") == text.count('additional_settings => { "force_path_style" => true }')
    for endpoint in ("kinesis_endpoint", "dynamo_db_endpoint"):
        assert text.count(f'"{endpoint}" => "http://192.0.2.2:4566"') == text.count(" kinesis {")


@pytest.mark.parametrize(
    ("flow", "secrets"),
    [
        ("capture", {"VISITOR_SECRET"}),
        ("archiver", set()),
        ("indexer", {"ELASTICSEARCH_WRITER_PASSWORD"}),
        ("undeliverable", set()),
    ],
)
def test_flow_names_its_secrets_only(pipelines: dict[str, Pipeline], flow: str, secrets: set[str]) -> None:
    assert set(re.findall(r"\$\{(\w+)\}", configuration(pipelines[flow]))) == secrets


def test_without_user_hash_no_secret_is_needed() -> None:
    assert "VISITOR_SECRET" not in configuration(render(event_pipelines_user_hash=False)["capture"])


def test_flow_settings_come_before_those_of_all(pipelines: dict[str, Pipeline]) -> None:
    assert pipelines["archiver"]["settings"] == {
        "pipeline.batch.size": 500,
        "pipeline.ordered": True,
        "pipeline.workers": 1,
    }
    assert pipelines["indexer"]["settings"]["dead_letter_queue.enable"] is True


def test_a_new_type_and_a_new_flow_are_new_files(tmp_path: Path) -> None:
    templates = tmp_path / "pipelines"
    shutil.copytree(ROOT / "templates" / "pipelines", templates)
    (templates / "inputs" / "heartbeat.conf.j2").write_text('heartbeat {\n  message => "{{ input.message }}"\n}\n')
    (templates / "filters" / "pulse.conf.j2").write_text("prune {\n}\n")
    (templates / "scripts" / "pulse.rb").write_text("")
    pulse = render(
        event_pipelines_templates=str(templates),
        event_pipelines_run=["pulse"],
        event_pipelines_inputs=[{"name": "clock", "type": "heartbeat", "message": "tick"}],
        event_pipelines_flows=[{"name": "pulse", "inputs": ["clock"], "outputs": ["undeliverable"]}],
    )["pulse"]
    assert [file["name"] for file in pulse["files"]] == [
        "10-input-clock.conf",
        "50-filter-pulse.conf",
        "90-output-undeliverable.conf",
    ]
    assert 'input {\n  heartbeat {\n    message => "tick"\n  }\n}\n' in pulse["files"][0]["content"]
