#!/usr/bin/python
# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: elasticsearch_reindex
short_description: Make indices anew under their names, while they are written and searched
version_added: 0.1.0
description:
  - Copies an index into a new one with the settings and mappings that its templates have by now, and has the new one
    take its place. Who writes to the name, or searches an alias, goes on without noticing.
  - The index C(NAME) becomes C(NAME-000001), and C(NAME) an alias of it. The next time that becomes C(NAME-000002).
  - What is written meanwhile is copied in further passes. For the last of them writes to the source are blocked, until
    both are compared, by the number of documents and by a checksum over their ids and versions, and all aliases are
    switched in one step. Logstash sends again what the block turns away.
  - Most of both is read before that, so that writes wait for what came since, however large the index is.
  - Versions are those of the source, so that no pass replaces a document by an older one.
  - What it knows stands in the cluster. A run that was interrupted, or whose copying task was lost with its node, is
    gone on with by the same call, and one that is finished does nothing.
  - Documents must not be deleted from the source meanwhile, since a copy does not see that. The comparison does, and
    nothing is switched.
author: Simple Analytics contributors (@simple-analytics)
extends_documentation_fragment:
  - simple_analytics.pipeline.elasticsearch
  - simple_analytics.pipeline.waiting
attributes:
  check_mode:
    description: Says which indices would be made anew, with how many documents and bytes.
    support: full
  diff_mode:
    description: Shows settings and mappings before and after.
    support: full
  idempotent:
    description: An index that is as its templates have it, or that was made anew with the same options, stays.
    support: full
options:
  source:
    description:
      - Names of indices, or patterns with C(*). The name of an index is that from before it was made anew.
    type: list
    elements: str
    required: true
  first:
    description:
      - Of these, the first by name.
    type: str
  last:
    description:
      - Of these, the last by name.
    type: str
  settings:
    description:
      - Settings of the new indices, before those of the templates.
    type: dict
    default: {}
  mappings:
    description:
      - Mappings of the new indices, in place of the templates'.
    type: dict
  query:
    description:
      - Documents that the new indices are to have. The others are left out.
    type: dict
  script:
    description:
      - What is done to each document, as the API's body. It must leave ids and versions as they are, and leave no
        document out.
    type: dict
  slices:
    description:
      - How many tasks share an index. V(auto) is one for each of its shards.
    type: str
    default: auto
  rate:
    description:
      - Documents a second and index, at most. V(0) is no limit.
      - Another rate in a later call is that of tasks which run already.
    type: int
    default: 0
  parallel:
    description:
      - How many indices are copied at once.
    type: int
    default: 2
  keep_source:
    description:
      - Whether the indices remain that were replaced. They are closed for writing, belong to no alias, and are named
        RV(indices.kept).
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Give all days of November the mapping that is in force now
  simple_analytics.pipeline.elasticsearch_reindex:
    url: https://10.0.0.31:9200
    username: elastic
    password: "{{ elastic_password }}"
    source: [simple-analytics-events-2026.11.*]
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
  description: Whether every index is as it is asked for.
  returned: success
  type: bool
  sample: false
summary:
  description: How far it is, in one line.
  returned: success
  type: str
  sample: "3 of 30 indices as asked, 2 copying, 25 waiting; 4200000 of 51000000 documents"
documents:
  description: How many documents the indices have.
  returned: success
  type: int
  sample: 51000000
copied:
  description: How many documents are in indices that are as asked, or are copied already.
  returned: success
  type: int
  sample: 4200000
bytes:
  description: How large the indices are that would be made anew.
  returned: in check mode
  type: int
  sample: 60123456
indices:
  description: Each index by its name.
  returned: success
  type: dict
  contains:
    state:
      description:
        - It is V(same) as asked, V(waiting), V(copying), or V(switched) by this call; or V(broken), since its new index
          refuses documents, which is an error as soon as all others are as asked.
      type: str
    documents:
      description: How many documents it has.
      type: int
    target:
      description: The index that takes its place.
      type: str
    kept:
      description: The index that the former one is kept as.
      type: str
  sample:
    simple-analytics-events-2026.11.20:
      {state: switched, documents: 1700000, target: simple-analytics-events-2026.11.20-000001,
       kept: simple-analytics-events-2026.11.20-000000}
failures:
  description:
    - Documents that the new index refuses, each with the index, its id, and the reason. They stay where they are.
  returned: when there are any
  type: list
  elements: dict
  sample:
    - {index: simple-analytics-events-2026.11.20-000001, id: b1xk, status: 400,
       reason: "document_parsing_exception: failed to parse"}
"""

import re
from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._elasticsearch import (
    CONNECTION_SPEC,
    Client,
    ElasticsearchError,
)
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._errors import PipelineError
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._reindex import (
    NOTHING,
    Family,
    Json,
    is_between,
)
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._reindex_report import (
    copied,
    described,
    diff,
    summary,
)
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._reindexing import (
    BrokenError,
    Cluster,
    advance,
    look,
)
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._waiting import WAIT_SPEC


def chosen(families: list[Family], first: str | None, last: str | None) -> list[Family]:
    """Those between two names, both included."""
    found = [family for family in families if is_between(family.name, first, last)]
    if not found:
        raise PipelineError(f"There is no such index from {first or 'the first'} to {last or 'the last'}.")
    return found


def require_numbers(params: Json) -> None:
    if params["parallel"] < 1:
        raise PipelineError(f"parallel {params['parallel']} lets nothing begin: 1 or more.")
    if params["rate"] < 0:
        raise PipelineError(f"rate {params['rate']} is no number of documents a second: 0 for no limit, or more.")
    if params["slices"] != "auto" and not re.fullmatch("[1-9][0-9]*", params["slices"]):
        raise PipelineError(f"slices {params['slices']!r} is no number of tasks: auto, 1 or more.")


def run(module: AnsibleModule, cluster: Cluster) -> tuple[Json, list[BrokenError]]:
    params = module.params
    require_numbers(params)
    cluster.require_query(params["query"], params["source"])
    families = chosen(cluster.families(params["source"]), params["first"], params["last"])
    works = [look(cluster, family, params) for family in families]
    sizes = cluster.sizes([family.live.index for family in families])
    states: dict[str, str] = {}
    broken: list[BrokenError] = []
    # Those that have begun come first, so that no more are on the way than may be.
    for work in sorted(works, key=lambda work: (work.family.target is None, work.family.name)):
        name = work.family.name
        if work.step == NOTHING:
            states[name] = "same"
            if not module.check_mode:
                cluster.finish(work.family.live)
        elif module.check_mode or list(states.values()).count("copying") >= params["parallel"]:
            states[name] = "waiting"
        else:
            try:
                states[name] = advance(cluster, work, params["keep_source"])
            except BrokenError as error:
                states[name] = "broken"
                broken.append(error)
    if {"copying", "waiting"} & set(states.values()):
        broken = []  # the others come first
    for each in broken:
        cluster.forget_task(each.target)
    documents = {work.family.name: sizes[work.family.live.index][0] for work in works}
    done = sum(copied(work, states[work.family.name], documents[work.family.name]) for work in works)
    result = {
        "changed": any(work.step != NOTHING for work in works),
        "done": not {"copying", "waiting", "broken"} & set(states.values()),
        "summary": summary(list(states.values()), done, sum(documents.values())),
        "documents": sum(documents.values()),
        "copied": done,
        "indices": {
            work.family.name: described(
                work, states[work.family.name], documents[work.family.name], params["keep_source"]
            )
            for work in works
        },
        "diff": diff(works),
    }
    if module.check_mode:
        result["bytes"] = sum(sizes[work.family.live.index][1] for work in works if work.step != NOTHING)
    return result, broken


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **CONNECTION_SPEC,
            **WAIT_SPEC,
            "source": {"type": "list", "elements": "str", "required": True},
            "first": {"type": "str"},
            "last": {"type": "str"},
            "settings": {"type": "dict", "default": {}},
            "mappings": {"type": "dict"},
            "query": {"type": "dict"},
            "script": {"type": "dict"},
            "slices": {"type": "str", "default": "auto"},
            "rate": {"type": "int", "default": 0},
            "parallel": {"type": "int", "default": 2},
            "keep_source": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    params = module.params
    try:
        cluster = Cluster(Client.from_params(params), params["slices"], params["rate"] or -1)
        result, broken = run(module, cluster)
    except ElasticsearchError as error:
        goes_on = ". The same call goes on where this one was." if error.passing else ""
        module.fail_json(msg=f"{error}{goes_on}", passing=error.passing)
    except PipelineError as error:
        module.fail_json(msg=str(error), passing=error.passing)
    if broken:
        failures = [asdict(failure) for error in broken for failure in error.failures]
        module.fail_json(**result, msg=" ".join(map(str, broken)), failures=failures)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
