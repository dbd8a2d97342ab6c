# SPDX-License-Identifier: GPL-3.0-or-later
"""Wrong variables stop the Elasticsearch roles in a sentence, before anything is touched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
NODE = {"name": "es-1", "address": "10.0.0.1"}
PASSWORDS = {user: f"{user}-password" for user in ("elastic", "kibana_system", "logstash_writer", "reader")}
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

# By name: the role, what is wrong, and the sentence.
CASES: dict[str, tuple[str, dict[str, Any], str]] = {
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
    "heap": (
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
            "elasticsearch_cluster_name": "test",
            "elasticsearch_hosts": [NODE],
            "elasticsearch_node_name": "es-1",
            "elasticsearch_passwords": PASSWORDS,
            "elasticsearch_ca_key": "-----BEGIN PRIVATE KEY-----",
            "elasticsearch_ca_certificate": POWERLESS,
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


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the roles said of each case; check mode, so that a case which passes by mistake changes nothing either."""
    folder = tmp_path_factory.mktemp("preflight")
    (folder / "play.json").write_text(json.dumps([play(name, folder) for name in CASES]))
    command = ["-m", "ansible", "playbook", "--check", "-i", "localhost,", "-c", "local", "play.json"]
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".ansible" / "collections")}
    subprocess.run([sys.executable, *command], cwd=folder, env=environment, capture_output=True, check=True)
    return {name: " ".join((folder / name).read_text().split()) for name in CASES}


@pytest.mark.parametrize("name", CASES)
def test_role_says_what_is_wrong(said: dict[str, str], name: str) -> None:
    assert CASES[name][2] in said[name]
