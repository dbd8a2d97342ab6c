#!/usr/bin/python
# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: elasticsearch_restore
short_description: Bring indices back from a snapshot, beside the living ones or in their place
version_added: 0.1.0
description:
  - Restores indices of a snapshot as C(restored-NAME), where nobody searches them, or in the place of the living ones.
  - In place, the living index is written and searched until the restored one is whole; then all its aliases are
    switched in one step, and it is removed. What was written to it after the snapshot is gone with it, until its events
    are sent again. Where there is no living index, the restored one has its name at once.
  - What it knows stands in the cluster. A run that was interrupted is gone on with by the same call, and one that is
    finished does nothing.
author: Simple Analytics contributors (@simple-analytics)
extends_documentation_fragment:
  - simple_analytics.pipeline.elasticsearch
  - simple_analytics.pipeline.waiting
attributes:
  check_mode:
    description: Says which indices would be restored, with how many bytes, and which would be removed.
    support: full
  diff_mode:
    description: Shows for each index which one it is, before and after.
    support: full
  idempotent:
    description: An index that was restored from that snapshot stays, and so does what was written to it since.
    support: full
options:
  repository:
    description:
      - Name of the repository.
    type: str
    required: true
  snapshot:
    description:
      - Name of the snapshot. The latest that is whole, when not given.
    type: str
  first:
    description:
      - Of its indices, the first by name.
    type: str
  last:
    description:
      - Of its indices, the last by name.
    type: str
  in_place:
    description:
      - Whether the restored indices take the place of the living ones.
    type: bool
    default: false
  parallel:
    description:
      - How many indices are restored at once.
    type: int
    default: 2
"""

EXAMPLES = r"""
- name: Look at a day as it was last night
  simple_analytics.pipeline.elasticsearch_restore:
    url: https://10.0.0.31:9200
    username: elastic
    password: "{{ elastic_password }}"
    repository: simple-analytics
    first: simple-analytics-events-2026.11.20
    last: simple-analytics-events-2026.11.20
    wait: true

- name: Bring everything back after the cluster was lost
  simple_analytics.pipeline.elasticsearch_restore:
    url: https://10.0.0.31:9200
    username: elastic
    password: "{{ elastic_password }}"
    repository: simple-analytics
    in_place: true
    wait: true
    wait_timeout: 36000
"""

RETURN = r"""
passing:
  description: Whether the same call may do better in a moment, which the action then waits for, five minutes at most.
  returned: failure
  type: bool
  sample: true
done:
  description: Whether every index is restored.
  returned: success
  type: bool
  sample: false
summary:
  description: How far it is, in one line.
  returned: success
  type: str
  sample: "3 of 30 indices restored from events-2026.11.27, 2 restoring, 25 waiting; 1.20 GB of 9.70 GB"
snapshot:
  description: Name of the snapshot.
  returned: success
  type: str
  sample: simple-analytics-events-2026.11.27
start:
  description: When the snapshot was begun, in UTC. What was indexed before that is in it.
  returned: success
  type: str
  sample: "2026-11-27T01:30:00Z"
bytes:
  description: How large the indices are in the snapshot.
  returned: success
  type: int
  sample: 10415295037
restored:
  description: How many bytes are restored by now.
  returned: success
  type: int
  sample: 1288490188
indices:
  description: Each index by its name.
  returned: success
  type: dict
  contains:
    state:
      description:
        - It is the V(same) as asked, V(waiting), V(restoring), or V(restored) by this call. What is V(lost) the cluster
          has given up; when the others are there the module fails, and says why.
      type: str
    target:
      description: The index that it is restored as.
      type: str
    replaced:
      description: The living index that is removed.
      type: str
  sample:
    simple-analytics-events-2026.11.20:
      {state: restored, target: simple-analytics-events-2026.11.20-000001, replaced: simple-analytics-events-2026.11.20}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.text.formatters import bytes_to_human
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._elasticsearch import (
    CONNECTION_SPEC,
    Client,
    ElasticsearchError,
)
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._errors import PipelineError
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._reindex import Json
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._restore import BEGIN, NOTHING, Place
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._restoring import Cluster, LostError, advance
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._waiting import WAIT_SPEC


def described(place: Place, state: str) -> Json:
    replaced = {"replaced": place.replaced.index} if place.replaced else {}
    return {"state": state, "target": place.target, **replaced}


def diff(places: list[Place]) -> dict[str, dict[str, str | None]]:
    """Which index each name is, before and after; of one beside it, whether it is there."""
    changing = {place.name if place.is_searched else place.target: place for place in places if place.step != NOTHING}
    return {
        "before": {name: place.replaced.index if place.replaced else None for name, place in changing.items()},
        "after": {name: place.target for name, place in changing.items()},
    }


def summary(snapshot: str, states: list[str], restored: int, size: int) -> str:
    there = states.count("same") + states.count("restored")
    others = [f"{states.count(state)} {state}" for state in ("restoring", "waiting", "lost") if state in states]
    said = ", ".join([f"{there} of {len(states)} indices restored from {snapshot}", *others])
    return f"{said}; {bytes_to_human(restored)} of {bytes_to_human(size)}"


def run(module: AnsibleModule, cluster: Cluster) -> Json:
    params = module.params
    if params["parallel"] < 1:
        raise PipelineError(f"parallel {params['parallel']} lets nothing begin: 1 or more.")
    snapshot = cluster.snapshot(params)
    places = cluster.places(snapshot, params)
    states: dict[str, str] = {}
    filled: dict[str, int] = {}
    lost: list[LostError] = []
    # Those that have begun come first, so that no more are on the way than may be.
    for place in sorted(places, key=lambda place: (place.step == BEGIN, place.name)):
        full = list(states.values()).count("restoring") >= params["parallel"]
        waits = place.step != NOTHING and (module.check_mode or (full and place.step == BEGIN))
        try:
            states[place.name] = state = "waiting" if waits else advance(cluster, place, snapshot)
        except LostError as error:
            states[place.name] = state = "lost"
            lost.append(error)
        if state == "restoring":
            filled[place.name] = cluster.restored_bytes(place)
        elif state in ("same", "restored"):
            filled[place.name] = snapshot.sizes[place.index]
    if lost and not {"restoring", "waiting"} & set(states.values()):  # the others come first
        for each in lost:
            cluster.give_up(each.place)
        said = " ".join(map(str, lost))
        raise PipelineError(
            f"{said} All others are restored. What was half there is removed: choose another snapshot,"
            " or give the same call again to have it begun anew."
        )
    size, restored = sum(snapshot.sizes[place.index] for place in places), sum(filled.values())
    return {
        "changed": any(place.step != NOTHING for place in places),
        "done": not {"restoring", "waiting", "lost"} & set(states.values()),
        "summary": summary(snapshot.name, list(states.values()), restored, size),
        "snapshot": snapshot.name,
        "start": f"{snapshot.start:%Y-%m-%dT%H:%M:%SZ}",
        "bytes": size,
        "restored": restored,
        "indices": {place.name: described(place, states[place.name]) for place in places},
        "diff": diff(places),
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **CONNECTION_SPEC,
            **WAIT_SPEC,
            "repository": {"type": "str", "required": True},
            "snapshot": {"type": "str"},
            "first": {"type": "str"},
            "last": {"type": "str"},
            "in_place": {"type": "bool", "default": False},
            "parallel": {"type": "int", "default": 2},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module, Cluster(Client.from_params(module.params), module.params["repository"]))
    except ElasticsearchError as error:
        goes_on = ". The same call goes on where this one was." if error.passing else ""
        module.fail_json(msg=f"{error}{goes_on}", passing=error.passing)
    except PipelineError as error:
        module.fail_json(msg=str(error), passing=error.passing)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
