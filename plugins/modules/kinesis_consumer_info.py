#!/usr/bin/python

# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kinesis_consumer_info
short_description: Say where the consumers of a Kinesis data stream are
version_added: 0.1.0
description:
  - Reads the lease tables of consumer applications that are built on the Kinesis Client Library, such as Logstash, and
    the stream that they read.
  - It only reads.
author: Simple Analytics contributors (@simple-analytics)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  check_mode:
    description: Does the same in check mode, as it changes nothing.
    support: full
  diff_mode:
    description: There is nothing to compare, as it changes nothing.
    support: none
options:
  stream:
    description:
      - Name of the stream.
    type: str
    required: true
  applications:
    description:
      - Names of the consumer applications.
      - All that have leases of this stream when not given, for which every DynamoDB table of the account is looked at.
    type: list
    elements: str
  watch_seconds:
    description:
      - How long to watch the leases' counters, which live workers move every few seconds.
      - With V(0) nothing is said of who is alive.
    type: int
    default: 5
"""

EXAMPLES = r"""
- name: See where the consumers are
  simple_analytics.pipeline.kinesis_consumer_info:
    stream: analytics-prod-events
    applications: [analytics-prod-archiver, analytics-prod-indexer]
    region: eu-central-1
  register: consumers

- name: Demand that none is more than an hour behind
  ansible.builtin.assert:
    that: consumers.applications | map(attribute='lag') | select | select('>', 3600 * 1000) | length == 0
"""

RETURN = r"""
applications:
  description:
    - The consumer applications, each with its shards.
    - C(summary) says in one line who reads it, and how far behind that is.
    - C(lag) is that of the shard which is furthest behind.
    - C(quiet) is whether all that is not checkpointed came within two minutes, and nothing after it. A worker that
      checkpoints only when records come, as Logstash's does, has most likely done it.
    - C(totals) counts the shards; those that are not V(finished) are V(alive) or V(silent), unless nobody watched.
    - A shard's C(lag) is for how many milliseconds the oldest record that is not checkpointed has
      waited. It is V(0) when none does, and V(null) until the consumer has checkpointed a first record
      where it began at the tip or at a time of its own.
    - A shard's C(alive) is whether a worker moved the lease's counter. It is V(null) when the shard is
      read to its end, or nobody watched.
    - A shard's C(owner) is the last worker to hold the lease, which it does not lose by stopping.
  returned: success
  type: list
  elements: dict
  sample:
    - application: analytics-prod-indexer
      summary: 1 shards read by consumer-1, 1 s behind
      lag: 850
      quiet: false
      workers: [consumer-1]
      totals: {shards: 1, finished: 0, alive: 1, silent: 0}
      shards:
        - shard: shardId-000000000001
          checkpoint: "49668899999919478283720"
          owner: consumer-1
          alive: true
          lag: 850
"""

import time
import typing as t
from datetime import timedelta

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._aws import CLIENT_CONFIG
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._errors import PipelineError
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._lag import is_quiet, lags, longest
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._lease_table import LeaseTable, tables_of
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._leases import (
    SHARD_END,
    Lease,
    require_leases,
)
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._moments import age
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._stream import Stream


def describe(lease: Lease, earlier: Lease | None, lag: int | None) -> dict[str, t.Any]:
    """One shard of one consumer; `earlier` is the lease some seconds before, where it was watched."""
    finished = lease.position.checkpoint == SHARD_END
    return {
        "shard": lease.shard,
        "checkpoint": lease.position.checkpoint,
        "owner": lease.owner,
        # A rewind moves the counter as well, and leaves no owner.
        "alive": None if finished or earlier is None else bool(lease.owner) and lease.counter != earlier.counter,
        "lag": lag,
    }


def summary(totals: dict[str, int], workers: list[str], lag: int | None, quiet: bool) -> str:
    """Who reads it, and how far behind that is."""
    open_shards = totals["shards"] - totals["finished"]
    told = [f"{open_shards} shards read by {', '.join(workers)}" if workers else f"{open_shards} shards"]
    if totals["silent"]:
        told.append(f"nobody reads {totals['silent']} of them")
    passed = "" if lag is None else age(timedelta(milliseconds=lag))
    told.append(f"quiet for {passed}" if quiet else f"{passed} behind" if passed else "nothing is checkpointed yet")
    return ", ".join(told)


def survey(application: str, earlier: dict[str, Lease], leases: dict[str, Lease], stream: Stream) -> dict[str, t.Any]:
    """Where a consumer is."""
    behind = lags(leases, stream)
    shards = [describe(lease, earlier.get(shard), behind[shard]) for shard, lease in sorted(leases.items())]
    lag, quiet = longest(behind.values()), is_quiet(behind, stream)
    workers = sorted({shard["owner"] for shard in shards if shard["alive"] and shard["owner"]})
    totals = {
        "shards": len(shards),
        "finished": sum(shard["checkpoint"] == SHARD_END for shard in shards),
        "alive": sum(shard["alive"] is True for shard in shards),
        "silent": sum(shard["alive"] is False for shard in shards),
    }
    return {
        "application": application,
        "summary": summary(totals, workers, lag, quiet),
        "lag": lag,
        "quiet": quiet,
        "workers": workers,
        "totals": totals,
        "shards": shards,
    }


def run(module: AnsibleAWSModule, dynamodb: t.Any, stream: Stream) -> dict[str, t.Any]:  # noqa: ANN401 - boto3's clients have no types
    watched = module.params["watch_seconds"]
    if watched < 0:
        raise PipelineError(f"watch_seconds {watched} is no time to watch: 0 or more.")
    shards = stream.shards()
    if module.params["applications"] is None:
        tables = tables_of(dynamodb, stream, shards)
    else:
        tables = [LeaseTable(dynamodb, name) for name in module.params["applications"]]
    earlier = [table.read() for table in tables]
    for table, leases in zip(tables, earlier, strict=True):
        require_leases(stream, table.name, shards, leases)
    time.sleep(watched)
    later = [table.read() for table in tables] if watched else earlier
    return {
        "applications": [
            survey(table.name, before if watched else {}, leases, stream)
            for table, before, leases in zip(tables, earlier, later, strict=True)
        ]
    }


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "stream": {"type": "str", "required": True},
            "applications": {"type": "list", "elements": "str"},
            "watch_seconds": {"type": "int", "default": 5},
        },
        supports_check_mode=True,
    )
    stream = Stream(module.client("kinesis", config=CLIENT_CONFIG), module.params["stream"])
    try:
        result = run(module, module.client("dynamodb", config=CLIENT_CONFIG), stream)
    except PipelineError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
