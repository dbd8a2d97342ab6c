# SPDX-License-Identifier: GPL-3.0-or-later
"""Who has upgraded Elasticsearch is told what is left to do."""

from __future__ import annotations

from pathlib import Path

from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

PLAYBOOK = Path(__file__).resolve().parents[3] / "playbooks" / "upgrade_search.yml"


def last_message(**groups: list[str]) -> str | None:
    loader = DataLoader()
    [task] = loader.load_from_file(str(PLAYBOOK), trusted_as_template=True)[-1]["tasks"]
    templar = Templar(loader=loader, variables={"groups": groups})
    if not templar.template(trust_as_template("{{ " + task["when"] + " }}")):
        return None
    return str(templar.template(task["ansible.builtin.debug"]["msg"]))


def test_kibana_is_to_follow() -> None:
    said = last_message(elasticsearch=["elasticsearch-1"], kibana=["kibana-1", "kibana-2"])
    assert said
    assert said.startswith("Kibana on kibana-1, kibana-2 was left as it is.")
    assert "playbooks/dashboards.yml" in said


def test_nothing_is_said_where_there_is_none() -> None:
    assert [last_message(elasticsearch=["elasticsearch-1"]), last_message(kibana=[])] == [None, None]
