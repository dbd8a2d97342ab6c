# SPDX-License-Identifier: GPL-3.0-or-later
"""The newest ansible-core, with the newest collections that ours needs, finds nothing deprecated in it."""

from __future__ import annotations

import json
import subprocess

from tests.integration.conftest import NETWORK, ROOT, Emulator
from tests.integration.stacks.conftest import STACKS
from tests.integration.stacks.test_inventory import start_instance
from tests.newest_core.conftest import Program

NAME = "analytics-prod"
AWS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL")

# What amazon.aws says whenever its inventory is read, whether or not that uses the variable.
ALWAYS_SAID = "The 'tags' host variable is deprecated."


def deprecations(run: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in run.stderr.splitlines() if "DEPRECAT" in line and ALWAYS_SAID not in line]


def test_the_unit_tests_of_plugins_pass(newest: Program) -> None:
    # What is said while modules are imported is seen only when it is not captured.
    run = newest("pytest", "-p", "no:cacheprovider", "--capture=no", "tests/unit/plugins")

    assert run.returncode == 0, run.stdout
    assert "skipped" not in run.stdout.splitlines()[-1]
    assert deprecations(run) == []


def test_every_playbook_is_understood(newest: Program) -> None:
    playbooks = ["site.yml", *sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("playbooks/*.yml"))]

    run = newest("ansible", "playbook", "--syntax-check", "--inventory", "nobody,", *playbooks)

    assert run.returncode == 0, run.stderr
    assert deprecations(run) == []


def test_a_check_of_an_empty_account_foretells_the_landscape(newest: Program, ministack: Emulator) -> None:
    start_instance(ministack, NAME, "capture")
    aws = {name: ministack.environment[name] for name in AWS}
    site = ("playbook", "--check", "--inventory", "inventories/aws", "--extra-vars", json.dumps(NETWORK), "site.yml")

    run = newest("ansible", *site, network="host", ANSIBLE_CALLBACK_RESULT_FORMAT="json", **aws)

    assert run.returncode == 0, run.stdout + run.stderr
    assert [stack for stack in STACKS if f'"{NAME}-{stack}": {{' in run.stdout] == list(STACKS)
    assert f"ok: [{NAME}-capture" in run.stdout, "No group holds the instance."
    assert deprecations(run) == []
