# SPDX-License-Identifier: GPL-3.0-or-later
"""playbooks/secrets.yml from an empty store to a rotation. The tests of this file follow one another."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.integration.conftest import Emulator, Playbook
from tests.integration.stacks.conftest import changed

NAME = "secretive"
KEYS = {
    "elasticsearch_ca_certificate",
    "elasticsearch_ca_key",
    "elasticsearch_elastic_password",
    "elasticsearch_kibana_password",
    "elasticsearch_reader_password",
    "elasticsearch_writer_password",
    "visitor_secret",
}


class Secrets:
    """The playbook, and what the store holds; remembers every output and every value."""

    def __init__(self, ministack: Emulator, run_playbook: Playbook) -> None:
        self._ssm, self._run_playbook, self._url = ministack.client("ssm"), run_playbook, ministack.url
        self.said, self.values = "", set[str]()

    def stored(self) -> dict[str, str]:
        found = self._ssm.get_parameters_by_path(Path=f"/{NAME}/", WithDecryption=True)["Parameters"]
        assert {parameter["Type"] for parameter in found} <= {"SecureString"}
        stored = {parameter["Name"].removeprefix(f"/{NAME}/"): parameter["Value"] for parameter in found}
        self.values |= set(stored.values())
        return stored

    def run(self, *arguments: str, rotate: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        variables = {
            "simple_analytics_name": NAME,
            "simple_analytics_aws_connection": {"region": "us-east-1", "endpoint_url": self._url},
            "secrets_rotate": rotate,
        }
        run = self._run_playbook("playbooks/secrets.yml", "nobody,", "--extra-vars", json.dumps(variables), *arguments)
        self.said += run.stdout + run.stderr
        return run


@pytest.fixture(scope="module")
def secrets(ministack: Emulator, run_playbook: Playbook) -> Secrets:
    return Secrets(ministack, run_playbook)


def test_a_check_of_an_empty_store_names_what_would_be_made_and_makes_nothing(secrets: Secrets) -> None:
    run = secrets.run("--check", "--diff")

    assert changed(run) > 0
    assert f"/{NAME}/visitor_secret" in run.stdout
    assert secrets.stored() == {}


def test_all_are_made_once(secrets: Secrets) -> None:
    assert changed(secrets.run("--diff", "-vvv")) > 0
    made = secrets.stored()
    assert set(made) == KEYS

    assert changed(secrets.run("--diff", "-vvv")) == 0
    assert secrets.stored() == made


def test_a_rotation_changes_what_it_names_and_nothing_else(secrets: Secrets) -> None:
    before = secrets.stored()

    assert changed(secrets.run("--check", "--diff", rotate=("visitor_secret",))) == 1
    assert secrets.stored() == before

    assert changed(secrets.run("--diff", "-vvv", rotate=("visitor_secret",))) == 1
    after = secrets.stored()
    assert {key for key in KEYS if after[key] != before[key]} == {"visitor_secret"}


def test_what_cannot_be_rotated_is_refused_before_anything_changes(secrets: Secrets) -> None:
    before = secrets.stored()

    run = secrets.run(rotate=("visitor_secret", "elasticsearch_ca_key"))

    assert run.returncode != 0
    assert "secrets_rotate names 'elasticsearch_ca_key', which cannot be rotated. Name one of: " in run.stdout
    assert secrets.stored() == before


def test_no_value_was_ever_said(secrets: Secrets) -> None:
    lines = {line for value in secrets.values for line in value.splitlines() if not line.startswith("-----")}

    assert len(lines) > len(KEYS)
    assert [line for line in lines if line in secrets.said] == []
