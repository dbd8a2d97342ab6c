# SPDX-License-Identifier: GPL-3.0-or-later
"""Wrong variables stop a role in a sentence, before anything is touched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
PIPELINE = {"id": "hello", "files": [{"name": "hello.conf", "content": "input { heartbeat { } }"}]}
LANDSCAPE: dict[str, Any] = {
    "simple_analytics_aws_endpoint_url": "",
    "simple_analytics_name": "analytics-test",
    "simple_analytics_outputs": {
        "EventsBucketName": "events",
        "LogsBucketName": "logs",
        "LogsPrefix": "cloudfront/",
        "StreamName": "stream",
    },
    "simple_analytics_pixel_path": "^/pixel$",
    "simple_analytics_region": "eu-central-1",
    "event_pipelines_run": ["capture"],
}
NODE = {"name": "es-1", "address": "10.0.0.1"}
PASSWORDS = {user: f"{user}-password" for user in ("elastic", "logstash_writer", "reader", "housekeeper")}
# A certificate that says CA:TRUE, and of no key usage.
POWERLESS = """\
-----BEGIN CERTIFICATE-----
MIIBejCCAR+gAwIBAgIUecmzGrALLZMpz5O0J6xnTCJ1ThkwCgYIKoZIzj0EAwIw
ETEPMA0GA1UEAwwGbm9ib2R5MCAXDTI2MTEyNTAwMDQ1MFoYDzIxMjYxMTAxMDAw
NDUwWjARMQ8wDQYDVQQDDAZub2JvZHkwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC
AASTZ23by0liK/WomaMlS1/6lBInPs2aS1+iZzL0ueLcCQh16jRvy5MfvqJup6VG
x8EvGKZkGN8oKrefi5tZJUNGo1MwUTAdBgNVHQ4EFgQUXPE+L1jB+dLCI8mW14ap
i09wTg8wHwYDVR0jBBgwFoAUXPE+L1jB+dLCI8mW14api09wTg8wDwYDVR0TAQH/
BAUwAwEB/zAKBggqhkjOPQQDAgNJADBGAiEA+zkFDWhUZOSNfKrc+fp01zdjtorI
USoWClQVlBFKeEACIQDYk5iyWFV0/pjVYZF+xaTXJDOPayoX7FqBeeMJeCwpjQ==
-----END CERTIFICATE-----
"""
FLOW = {"name": "capture", "inputs": ["raw_logs"], "outputs": ["stream"]}
# By name: the role, what is wrong, and the sentence.
CASES: dict[str, tuple[str, dict[str, Any], str]] = {
    "secrets of nobody": (
        "secrets",
        {"secrets_name": "../x", "secrets_aws_connection": {}},
        "secrets_name is '../x'; it must be a text of letters, digits, hyphens, underscores and dots.",
    ),
    "heap": (
        "logstash",
        {"logstash_heap": "2 GB"},
        "logstash_heap is '2 GB'. Give a number of megabytes or gigabytes, such as 512m or 2g.",
    ),
    "repeated pipeline": (
        "logstash",
        {"logstash_pipelines": [PIPELINE, PIPELINE]},
        "logstash_pipelines names hello more than once. Give each pipeline an id of its own.",
    ),
    "empty pipeline": (
        "logstash",
        {"logstash_pipelines": [{"id": "hello", "files": [{"name": "hello.conf", "content": "\n"}]}]},
        "Pipeline 'hello' of logstash_pipelines has no configuration. Logstash takes nothing for a good pipeline "
        "and never starts it: give it files, or take it out of the list.",
    ),
    "secret without a value": (
        "logstash",
        {"logstash_keystore": {"SECRET": ""}},
        "The keystore cannot hold 'SECRET' of logstash_keystore. Its key must consist of letters, digits, underscores "
        "and dots, its value must be a text of printable ASCII characters without blanks.",
    ),
    "unknown flow": (
        "event_pipelines",
        {"event_pipelines_run": ["captur"]},
        "event_pipelines_run names 'captur', which is no flow. "
        "Name some of capture, archiver, indexer, undeliverable, or add it to event_pipelines_flows.",
    ),
    "unknown input": (
        "event_pipelines",
        {"event_pipelines_flows": [{**FLOW, "inputs": ["raw_log"]}]},
        "Flow 'capture' of event_pipelines_flows reads from 'raw_log', which is no input. "
        "Name one of raw_logs, events, dead_letters, or add it to event_pipelines_inputs.",
    ),
    "unknown output": (
        "event_pipelines",
        {"event_pipelines_flows": [{**FLOW, "outputs": ["streams"]}]},
        "Flow 'capture' of event_pipelines_flows writes to 'streams', which is no output. "
        "Name one of stream, malformed, archive, index, undeliverable, or add it to event_pipelines_outputs.",
    ),
    "unknown type": (
        "event_pipelines",
        {
            "event_pipelines_inputs": [{"name": "raw_logs", "type": "s4"}],
            "event_pipelines_flows": [FLOW],
            "event_pipelines_templates": "/nowhere",
        },
        "Input 'raw_logs' of event_pipelines_inputs asks for the file inputs/s4.conf.j2, which /nowhere does not have. "
        "Add it, or correct the name.",
    ),
    "pixel path": (
        "event_pipelines",
        {"event_pipelines_pixel_path": "^/pixel("},
        "event_pipelines_pixel_path (simple_analytics_pixel_path) is '^/pixel(', which is no regular expression "
        "that Ruby and Python understand alike, without quotation marks. "
        r"Give one that matches the pixel's path, such as ^/pixel\.gif$.",
    ),
    "source ip": (
        "event_pipelines",
        {"event_pipelines_source_ip": "masked"},
        "value of event_pipelines_source_ip must be one of: truncated, absent, whole, got: masked",
    ),
    "missing secret": (
        "event_pipelines",
        {"event_pipelines_secrets": {"VISITOR_SECRET": ""}},
        "The flows capture on localhost need the secret VISITOR_SECRET, and event_pipelines_secrets does not have it. "
        "playbooks/secrets.yml creates and reads the landscape's secrets.",
    ),
    "no node": (
        "event_pipelines",
        {"event_pipelines_run": ["indexer"]},
        "The flows indexer write to Elasticsearch. Give the URLs of its nodes in event_pipelines_elasticsearch_hosts "
        "(now []) and the certificate of its authority in event_pipelines_elasticsearch_ca_certificate (0 characters).",
    ),
    "two nodes of one name": (
        "elasticsearch",
        {"elasticsearch_hosts": [NODE, {**NODE, "address": "10.0.0.2"}]},
        "elasticsearch_hosts has the same name twice: es-1, es-1. Give every node of 'test' its own.",
    ),
    "two nodes at one address": (
        "elasticsearch",
        {"elasticsearch_hosts": [NODE, {**NODE, "name": "es-2"}]},
        "elasticsearch_hosts has the same address twice: 10.0.0.1, 10.0.0.1. Give every node of 'test' its own.",
    ),
    "node not in the list": (
        "elasticsearch",
        {"elasticsearch_node_name": "es-9"},
        "elasticsearch_node_name is 'es-9', but elasticsearch_hosts names es-1. Add this node with its address.",
    ),
    "nobody keeps house": (
        "elasticsearch",
        {"elasticsearch_users": {"reader": {"roles": ["reader"]}}},
        "elasticsearch_users names reader, and no housekeeper, who removes old indices and takes snapshots. "
        "Add it with the role housekeeper, as the role's defaults have it.",
    ),
    "roles that the others do not know": (
        "elasticsearch",
        {"elasticsearch_node_roles": ["data"]},
        "elasticsearch_node_roles of 'es-1' is ['data'], but elasticsearch_hosts says []. Give its entry there "
        "the same roles: by them a new cluster knows which nodes to wait for.",
    ),
    "heap of a node": (
        "elasticsearch",
        {"elasticsearch_heap": "4 GB"},
        "elasticsearch_heap is '4 GB'. Give a number of megabytes or gigabytes, such as 512m or 4g, or leave it empty.",
    ),
    "missing password": (
        "elasticsearch",
        {"elasticsearch_passwords": {**PASSWORDS, "reader": ""}},
        "elasticsearch_passwords.reader is missing or has fewer than 6 characters, which Elasticsearch refuses. "
        "Set it, or let playbooks/secrets.yml make it.",
    ),
    "no authority": (
        "elasticsearch",
        {"elasticsearch_ca_key": ""},
        "elasticsearch_ca_key and elasticsearch_ca_certificate are not a private key and a certificate in PEM. "
        "Set both, or let playbooks/secrets.yml make them.",
    ),
    "authority that may not sign": (
        "elasticsearch",
        {},
        "Give a certificate that is valid and may sign others (CA:TRUE, keyCertSign), "
        "or let playbooks/secrets.yml make it.",
    ),
    "fingerprint": (
        "elastic_repository",
        {"elastic_repository_key_fingerprint": "4609 5ACC"},
        "elastic_repository_key_fingerprint is '4609 5ACC'. "
        "Give the key's 40 hexadecimal digits, in capitals and without spaces.",
    ),
}


def play(name: str, folder: Path) -> dict[str, Any]:
    role, wrong, _ = CASES[name]
    return {
        "name": name,
        "hosts": "localhost",
        "gather_facts": False,
        "vars": {
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
            "logstash_pipelines": [PIPELINE],
            "elasticsearch_cluster_name": "test",
            "elasticsearch_hosts": [NODE],
            "elasticsearch_node_name": "es-1",
            "elasticsearch_passwords": PASSWORDS,
            "elasticsearch_ca_key": "-----BEGIN PRIVATE KEY-----",
            "elasticsearch_ca_certificate": POWERLESS,
            **LANDSCAPE,
            **wrong,
        },
        "tasks": [
            {
                "block": [{"ansible.builtin.include_role": {"name": f"simple_analytics.pipeline.{role}"}}],
                "rescue": [
                    {
                        "ansible.builtin.copy": {
                            "content": "{{ ansible_failed_result | to_json }}",
                            "dest": str(folder / name),
                            "mode": "0600",
                        },
                        "check_mode": False,
                    }
                ],
            }
        ],
    }


def messages(result: object) -> list[str]:
    """Every message in a task's result, those of a loop's items included."""
    if isinstance(result, dict):
        return [message for key, value in result.items() for message in ([value] if key == "msg" else messages(value))]
    return [message for value in result for message in messages(value)] if isinstance(result, list) else []


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What the roles said of each case; check mode, so that a case which passes by mistake changes nothing either."""
    folder = tmp_path_factory.mktemp("preflight")
    (folder / "play.json").write_text(json.dumps([play(name, folder) for name in CASES]))
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".ansible" / "collections"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
    }
    subprocess.run(
        [
            sys.executable,
            "-m",
            "ansible",
            "playbook",
            "--check",
            "-i",
            "localhost,",
            "-c",
            "local",
            folder / "play.json",
        ],
        cwd=folder,
        env=environment,
        capture_output=True,
        check=True,
    )
    return {
        name: [" ".join(message.split()) for message in messages(json.loads((folder / name).read_text()))]
        for name in CASES
    }


@pytest.mark.parametrize("name", CASES)
def test_role_says_what_is_wrong(said: dict[str, list[str]], name: str) -> None:
    assert any(CASES[name][2] in message for message in said[name])
