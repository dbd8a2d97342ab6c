# SPDX-License-Identifier: GPL-3.0-or-later
"""What users do with the installed collection. What is called is listed from the checkout, so nothing is left out."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.integration.artifact.conftest import Workplace
from tests.integration.conftest import NETWORK, ROOT, Emulator
from tests.integration.stacks.conftest import STACKS

COLLECTION = "simple_analytics.pipeline"


def names(pattern: str) -> list[str]:
    return sorted(f"{COLLECTION}.{path.stem}" for path in ROOT.glob(pattern))


def test_every_playbook_answers_to_its_full_name(workplace: Workplace) -> None:
    playbooks = names("playbooks/*.yml")

    run = workplace.run("ansible-playbook", "--syntax-check", *playbooks)

    assert run.returncode == 0, run.stdout + run.stderr
    found = [line.removeprefix("playbook: ") for line in run.stdout.splitlines() if line]
    assert found == [str(workplace.collection / "playbooks" / f"{name.split('.')[-1]}.yml") for name in playbooks]


@pytest.mark.parametrize(
    "kind, pattern", [("module", "plugins/modules/*.py"), ("filter", "plugins/filter/*.py"), ("role", "roles/*")]
)
def test_ansible_doc_shows_everything(workplace: Workplace, kind: str, pattern: str) -> None:
    run = workplace.run("ansible-doc", "--json", "--type", kind, *names(pattern))

    assert (run.returncode, run.stderr) == (0, "")
    assert sorted(json.loads(run.stdout)) == names(pattern)


def test_its_inventory_copied_and_named_foretells_a_landscape(workplace: Workplace, ministack: Emulator) -> None:
    inventory = shutil.copytree(workplace.collection / "inventories" / "aws", workplace.folder / "inventory")
    for file in (inventory / "aws_ec2.yml", inventory / "group_vars" / "all" / "landscape.yml"):
        file.write_text(file.read_text().replace("analytics-prod", "artifact"))
    (inventory / "group_vars" / "all" / "network.yml").write_text(json.dumps(NETWORK))

    run = workplace.run(
        *("ansible-playbook", "--inventory", inventory, f"{COLLECTION}.site", "--check"),
        environment=ministack.environment,
    )

    assert run.returncode == 0, run.stdout + run.stderr
    assert [stack for stack in STACKS if f'"artifact-{stack}": {{' in run.stdout] == list(STACKS)
    said = " ".join(run.stdout.split())
    for groups in ("elasticsearch (0 of 1)", "capture (0 of 1), consumers (0 of 1), elasticsearch (0 of 1)"):
        assert f"No host yet in inventory group {groups}, for 'artifact' has no stack {', '.join(STACKS)}" in said
    assert "PLAY [Dashboards, what they need]" in run.stdout
    assert ministack.client("ssm").get_parameters_by_path(Path="/artifact/")["Parameters"] == []
    made = ministack.client("s3").list_buckets()["Buckets"]
    assert [bucket["Name"] for bucket in made if bucket["Name"].startswith("artifact-")] == []
