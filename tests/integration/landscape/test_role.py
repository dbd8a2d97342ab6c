# SPDX-License-Identifier: GPL-3.0-or-later
"""The role landscape on two stacks of one resource, with hosts that come late, never or not at all."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Emulator, Playbook
from tests.integration.stacks.conftest import changed

Role = Callable[..., subprocess.CompletedProcess[str]]

NAME = "seen"

TOPIC = """
Resources:
  Topic: {Type: AWS::SNS::Topic, Properties: {TopicName: told}}
Outputs:
  TopicName: {Value: !GetAtt Topic.TopicName}
"""
QUEUE = """
Parameters:
  ConsumersSize: {Type: Number, Default: 2}
Resources:
  Queue: {Type: AWS::SQS::Queue, Properties: {QueueName: waiting}}
Outputs:
  QueueName: {Value: !GetAtt Queue.QueueName}
"""


@pytest.fixture(scope="module")
def account(ministack: Emulator) -> Emulator:
    """An account with both stacks."""
    account = replace(ministack, account="100000000003")
    cloudformation = account.client("cloudformation")
    for stack, template in {"topic": TOPIC, "queue": QUEUE}.items():
        cloudformation.create_stack(StackName=f"{NAME}-{stack}", TemplateBody=template)
        waiter = cloudformation.get_waiter("stack_create_complete")
        waiter.wait(StackName=f"{NAME}-{stack}", WaiterConfig={"Delay": 1})
    return account


@pytest.fixture
def role(account: Emulator, run_playbook: Playbook) -> Role:
    """Runs the role for capture and consumers; patience is in seconds."""

    def run(inventory: Path, *arguments: str, patience: int) -> subprocess.CompletedProcess[str]:
        variables = {
            "landscape_name": NAME,
            "landscape_stacks": ["topic", "queue"],
            "landscape_aws_connection": {"region": "us-east-1", "endpoint_url": account.url},
            "landscape_groups": ["capture", "consumers"],
            "landscape_refresh_retries": patience,
            "landscape_refresh_delay": 1,
        }
        playbook = Path(__file__).with_name("role.yml")
        return run_playbook(playbook, inventory, "--extra-vars", json.dumps(variables), *arguments, aws=account)

    return run


def program(path: Path, then: str, *, calls: int = 1, before: str = "exit 1") -> Path:
    """A program that does what it is for from that call on."""
    path.write_text(
        f'#!/bin/sh\necho >> "$0.calls"\nif [ "$(wc -l < "$0.calls")" -lt {calls} ]; then {before}; fi\n{then}\n'
    )
    path.chmod(0o755)
    return path


def calls(path: Path) -> int:
    return len(Path(f"{path}.calls").read_text().splitlines())


def host(interpreter: Path | str = sys.executable) -> dict[str, str]:
    return {"ansible_connection": "local", "ansible_python_interpreter": str(interpreter)}


def inventory(folder: Path, **groups: dict[str, Any]) -> Path:
    """An inventory of hosts by group."""
    path = folder / "hosts.json"
    path.write_text(json.dumps({"all": {"children": {group: {"hosts": hosts} for group, hosts in groups.items()}}}))
    return path


def test_it_reads_the_outputs_and_waits_for_hosts_that_come_and_answer_late(role: Role, tmp_path: Path) -> None:
    python = program(tmp_path / "python", f'exec {sys.executable} "$@"', calls=3)
    listed = json.dumps(
        {
            "capture": {"hosts": ["first"]},
            "consumers": {"hosts": ["second", "third"]},
            "_meta": {"hostvars": {"first": host(), "second": host(), "third": host(python)}},
        }
    )
    hosts = program(
        tmp_path / "hosts",
        f"echo '{listed}'",
        calls=3,
        before=f"echo '{json.dumps({'_meta': {'hostvars': {}}})}'; exit",
    )

    run = role(hosts, patience=20)

    assert changed(run) == 0
    assert json.loads(run.stdout.split("Show the outputs")[1].split("=>")[1].split("PLAY RECAP")[0]) == {
        "landscape_outputs": {"TopicName": "told", "QueueName": "waiting"}
    }
    # Read when the playbook starts, then by the role.
    assert calls(hosts) == 3
    assert calls(python) == 3


def test_a_group_that_stays_empty_is_named_by_a_check_too(role: Role, tmp_path: Path) -> None:
    run = role(inventory(tmp_path, capture={"first": host()}, consumers={}), "--check", patience=1)

    assert run.returncode != 0
    assert f"Too few hosts in inventory group consumers (0 of 2), although the stacks of '{NAME}' exist." in run.stdout


def test_one_host_of_two_is_too_few(role: Role, tmp_path: Path) -> None:
    run = role(inventory(tmp_path, capture={"first": host()}, consumers={"second": host()}), patience=1)

    assert run.returncode != 0
    assert f"Too few hosts in inventory group consumers (1 of 2), although the stacks of '{NAME}' exist." in run.stdout


def test_a_host_of_another_landscape_is_refused(role: Role, tmp_path: Path) -> None:
    mine = {"simple_analytics_landscape": NAME, **host()}
    stranger = {"simple_analytics_landscape": "elsewhere", **host()}

    run = role(inventory(tmp_path, capture={"first": mine}, consumers={"second": mine, "third": stranger}), patience=1)

    assert run.returncode != 0
    assert "The inventory's host third belongs to the landscape 'elsewhere'" in run.stdout


def test_a_check_before_the_last_stack_exists_demands_nothing(role: Role, tmp_path: Path) -> None:
    stacks = json.dumps({"landscape_stacks": ["topic", "queue", "later"]})
    no_hosts = inventory(tmp_path, capture={"first": host()}, consumers={})

    check = role(no_hosts, "--check", "--extra-vars", stacks, patience=1)
    real = role(no_hosts, "--extra-vars", stacks, patience=1)

    lack = f"for '{NAME}' has no stack later: playbooks/stacks.yml makes it."
    assert changed(check) == 0
    assert f"{lack} Until then nothing can be foretold" in check.stdout
    assert real.returncode != 0
    assert lack in real.stdout


def test_a_host_that_never_answers_is_named(role: Role, tmp_path: Path) -> None:
    mute = program(tmp_path / "python", "exit 1")

    run = role(
        inventory(tmp_path, capture={"first": host()}, consumers={"second": host(mute), "third": host()}), patience=2
    )

    assert run.returncode != 0
    assert "ok: [localhost -> first] => (item=first)" in run.stdout
    assert "failed: [localhost -> second] (item=second)" in run.stdout
    assert "timed out waiting for ping" in run.stdout
    assert calls(mute) > 1
