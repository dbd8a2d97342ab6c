#!/usr/bin/python
# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: elasticsearch_health
short_description: Ask how well an Elasticsearch cluster is, and wait until it is well enough
version_added: 0.1.0
description:
  - Says whether so many nodes are there and the cluster's status is at least so good, and otherwise what is missing.
  - A node that does not answer, or does not know its users yet, is an answer too, as long as there is time.
  - In the middle of an upgrade an index that was made on a newer node has no replica, since no older node takes one.
    This passes with the upgrade alone, so it counts as V(green).
author: Simple Analytics contributors (@simple-analytics)
extends_documentation_fragment:
  - simple_analytics.pipeline.elasticsearch
  - simple_analytics.pipeline.waiting
attributes:
  check_mode:
    description: It changes nothing at any time. In check mode it does not wait.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
  idempotent:
    description: It changes nothing.
    support: full
options:
  nodes:
    description:
      - How many nodes have to be there.
    type: int
    default: 1
  status:
    description:
      - How good the status has to be. Any is good enough for V(red).
    type: str
    choices: [green, yellow, red]
    default: green
"""

EXAMPLES = r"""
- name: Wait until all shards are where they belong
  simple_analytics.pipeline.elasticsearch_health:
    url: https://10.0.0.31:9200
    username: elastic
    password: "{{ elastic_password }}"
    nodes: 3
    wait: true
"""

RETURN = r"""
done:
  description: Whether it is well enough.
  returned: always
  type: bool
  sample: true
summary:
  description: How it is, in one line.
  returned: always
  type: str
  sample: "yellow, 2 of 3 nodes, 4 shards to be allocated, 2 on their way"
nodes:
  description: How many nodes are there, as the one that was asked sees it; 0 when it does not answer.
  returned: always
  type: int
  sample: 2
refused:
  description: Whether it is the password that is refused, which right after a node's start may not be its last word.
  returned: always
  type: bool
  sample: false
"""

import typing as t
from contextlib import suppress

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._elasticsearch import (
    CONNECTION_SPEC,
    Client,
    ElasticsearchError,
)
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._waiting import WAIT_SPEC

# What decides where a replica goes: not to a node of an older version than the primary's, nor beside it.
OLDER = "node_version"
SAME = "same_shard"
STATUSES = ("red", "yellow", "green")


def judge(found: dict[str, t.Any], nodes: int, status: str) -> tuple[bool, str]:
    """Whether the answer is good enough, and what it says."""
    here, moving = found["number_of_nodes"], found["initializing_shards"] + found["relocating_shards"]
    said = [found["status"], f"{here} of {nodes} nodes"]
    if found["unassigned_shards"]:
        said.append(f"{found['unassigned_shards']} shards to be allocated")
    if moving:
        said.append(f"{moving} on their way")
    return here >= nodes and STATUSES.index(found["status"]) >= STATUSES.index(status), ", ".join(said)


def waits_for_newer_nodes(explained: dict[str, t.Any]) -> bool:
    """Whether a replica has no place because every node but the primary's is of an older version."""
    decisions = [
        {decider["decider"] for decider in node.get("deciders", ()) if decider["decision"] == "NO"}
        for node in explained.get("node_allocation_decisions", ())
    ]
    return any(OLDER in found for found in decisions) and all(found & {OLDER, SAME} for found in decisions)


def is_upgrading(client: Client, found: dict[str, t.Any]) -> bool:
    """Whether all that is lacking are such replicas."""
    if found["status"] != "yellow" or found["initializing_shards"] or found["relocating_shards"]:
        return False
    shards = client.request("GET", "/_cat/shards?format=json&h=index,shard,prirep,state")
    lacking = [
        {"index": shard["index"], "shard": int(shard["shard"]), "primary": shard["prirep"] == "p"}
        for shard in shards
        if shard["state"] == "UNASSIGNED"
    ]
    asked = (client.request("GET", "/_cluster/allocation/explain", shard) for shard in lacking)
    return bool(lacking) and all(map(waits_for_newer_nodes, asked))


def run(params: dict[str, t.Any], client: Client) -> dict[str, t.Any]:
    try:
        found = client.request("GET", "/_cluster/health")
    except ElasticsearchError as error:
        return {"done": False, "summary": str(error), "nodes": 0, "refused": error.status == 401}
    done, summary = judge(found, params["nodes"], params["status"])
    with suppress(ElasticsearchError):  # it is asked again
        if not done and found["number_of_nodes"] >= params["nodes"] and is_upgrading(client, found):
            done, summary = True, f"{summary}, which older nodes do not take"
    return {"done": done, "summary": summary, "nodes": found["number_of_nodes"], "refused": False}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **CONNECTION_SPEC,
            **WAIT_SPEC,
            "nodes": {"type": "int", "default": 1},
            "status": {"type": "str", "choices": ["green", "yellow", "red"], "default": "green"},
        },
        supports_check_mode=True,
    )
    try:
        client = Client.from_params(module.params)
    except ElasticsearchError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **run(module.params, client))


if __name__ == "__main__":
    main()
