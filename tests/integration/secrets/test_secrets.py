# SPDX-License-Identifier: GPL-3.0-or-later
"""playbooks/secrets.yml from an empty store to a rotation. The tests of this file follow one another."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.integration.conftest import Emulator, Playbook
from tests.integration.stacks.conftest import changed

NAME = "analytics-prod"
KEYS = {
    "elasticsearch_ca_certificate",
    "elasticsearch_ca_key",
    "elasticsearch_elastic_password",
    "elasticsearch_housekeeper_password",
    "elasticsearch_reader_password",
    "elasticsearch_writer_password",
    "kibana_encryption_key",
    "visitor_secret",
}
ROTATABLE = [
    "elasticsearch_elastic_password",
    "elasticsearch_writer_password",
    "elasticsearch_reader_password",
    "elasticsearch_housekeeper_password",
    "visitor_secret",
]
# The random ones in a task; of the authority its key, then both in the store.
CHANGES = 3


class Secrets:
    """The playbook, and what the store holds; remembers every output and every value."""

    def __init__(self, account: Emulator, run_playbook: Playbook) -> None:
        self._account, self._run_playbook, self.ssm = account, run_playbook, account.client("ssm")
        self.said, self.values = "", set[str]()

    def stored(self) -> dict[str, str]:
        found = self.ssm.get_parameters_by_path(Path=f"/{NAME}/", WithDecryption=True)["Parameters"]
        assert {parameter["Type"] for parameter in found} <= {"SecureString"}
        stored = {parameter["Name"].removeprefix(f"/{NAME}/"): parameter["Value"] for parameter in found}
        self.values |= set(stored.values())
        return stored

    def run(self, *arguments: str, rotate: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        talkative = ("--diff", "-vvv", "--extra-vars", json.dumps({"secrets_rotate": rotate}))
        run = self._run_playbook("playbooks/secrets.yml", "inventories/aws", *talkative, *arguments, aws=self._account)
        self.said += run.stdout + run.stderr
        return run


@pytest.fixture(scope="module")
def secrets(ministack: Emulator, run_playbook: Playbook) -> Secrets:
    return Secrets(replace(ministack, account="100000000002"), run_playbook)


def announced(run: subprocess.CompletedProcess[str]) -> set[str]:
    return {key for key in KEYS if f'"/{NAME}/{key}"' in run.stdout}


def test_a_check_of_an_empty_store_names_what_would_be_made_and_makes_nothing(secrets: Secrets) -> None:
    run = secrets.run("--check")

    assert changed(run) == CHANGES
    assert announced(run) == KEYS
    assert secrets.stored() == {}


def test_all_are_made_once(secrets: Secrets) -> None:
    half = {"Name": f"/{NAME}/elasticsearch_ca_key", "Value": "left by an interrupted run"}
    secrets.ssm.put_parameter(**half, Type="SecureString")

    run = secrets.run()
    assert changed(run) == CHANGES
    assert announced(run) == KEYS
    made = secrets.stored()
    assert set(made) == KEYS

    assert changed(secrets.run()) == 0
    assert secrets.stored() == made


def test_key_and_certificate_of_the_authority_match(secrets: Secrets) -> None:
    made = secrets.stored()

    key = load_pem_private_key(made["elasticsearch_ca_key"].encode(), password=None)
    certificate = x509.load_pem_x509_certificate(made["elasticsearch_ca_certificate"].encode())

    assert certificate.public_key() == key.public_key()
    certificate.verify_directly_issued_by(certificate)
    assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert timedelta(days=3649) < certificate.not_valid_after_utc - datetime.now(UTC) <= timedelta(days=3650)


def test_a_rotation_changes_what_it_names_and_nothing_else(secrets: Secrets) -> None:
    before = secrets.stored()

    foretold = secrets.run("--check", rotate=("visitor_secret",))
    assert changed(foretold) == 1
    assert announced(foretold) == {"visitor_secret"}
    assert secrets.stored() == before

    assert changed(secrets.run(rotate=("visitor_secret",))) == 1
    after = secrets.stored()
    assert {key for key in KEYS if after[key] != before[key]} == {"visitor_secret"}


def test_what_cannot_be_rotated_is_refused_before_anything_changes(secrets: Secrets) -> None:
    before = secrets.stored()

    run = secrets.run(rotate=("visitor_secret", "elasticsearch_ca_key"))

    assert run.returncode != 0
    assert "secrets_rotate names 'elasticsearch_ca_key', which cannot be rotated. Name one of: " in run.stdout
    assert f"{', '.join(ROTATABLE)}." in run.stdout
    assert secrets.stored() == before


def test_no_value_was_ever_said(secrets: Secrets) -> None:
    lines = {line for value in secrets.values for line in value.splitlines() if not line.startswith("-----")}
    # The last line of PEM may be short enough to be met by chance.
    lines = {line for line in lines if len(line) > 16}

    assert len(lines) > len(KEYS)
    assert [line for line in lines if line in secrets.said] == []
