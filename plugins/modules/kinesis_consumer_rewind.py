#!/usr/bin/python

# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kinesis_consumer_rewind
short_description: Have a consumer of a Kinesis data stream read again from an earlier position
version_added: 0.1.0
description:
  - Moves the checkpoints of a consumer application that is built on the Kinesis Client Library, such as Logstash.
  - The consumer need not be stopped. A worker loses each lease as it is written, and takes it again at the new
    position. A few records that were under way from the former position may still come out.
  - The first record that comes again is the first at or after the position, in every shard that it moves there. Shards
    that were split or merged since are read again from their parents on, parents before children.
  - It never moves a checkpoint forward unless O(allow_skip=true). A shard whose worker has not checkpointed that far is
    taken from it and begins again at its own checkpoint, so that what it has delivered past the position comes again.
  - C(docs/rewind.md) names the IAM actions that it needs, and what was measured with which version of the library.
author: Simple Analytics contributors (@simple-analytics)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - simple_analytics.pipeline.waiting
attributes:
  check_mode:
    description: Says what would be written, and writes nothing.
    support: full
  diff_mode:
    description: Shows for each shard from where to where it goes.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: partial
    details: While the consumer is stopped. One that runs has moved on by then, and is rewound once more.
options:
  application:
    description:
      - Name of the consumer application, which is that of its DynamoDB table.
    type: str
    required: true
  stream:
    description:
      - Name of the stream.
    type: str
    required: true
  position:
    description:
      - Where reading is to start again.
      - V(trim_horizon) is the oldest record that the stream still has, and V(latest) the next one to come.
      - V(at_timestamp) is the first record that Kinesis took at O(timestamp) or later.
      - V(sequence_numbers) are the records of O(sequence_numbers).
      - One of O(position), O(resume) and O(restore) is required.
    type: str
    choices: [trim_horizon, latest, at_timestamp, sequence_numbers]
  timestamp:
    description:
      - A time in ISO 8601 with a zone, in seconds or milliseconds since 1970, or an age.
      - An age is a number with V(s), V(m), V(h), V(d) or V(w), such as V(2h).
      - Required when O(position=at_timestamp).
    type: str
  clamp:
    description:
      - Whether a time before the stream's retention period means its beginning. It is refused otherwise.
    type: bool
    default: false
  sequence_numbers:
    description:
      - For each shard the sequence number of the record that is to come first, as text.
      - Required when O(position=sequence_numbers).
    type: dict
  shards:
    description:
      - Move these shards only, and leave their children and all others where they are.
    type: list
    elements: str
  allow_skip:
    description:
      - Whether a checkpoint may move forward, over records that the consumer has not had. O(position=latest) needs it.
    type: bool
    default: false
  manifest:
    description:
      - New file for the former state of every lease that is to be written, and then for each that was.
      - Required with O(position), except in check mode.
    type: path
  resume:
    description:
      - Manifest of a rewind that was interrupted. What is missing is written; all else stays.
    type: path
  restore:
    description:
      - Manifest of a rewind that is to be undone. Every lease that it wrote goes back to its former position.
    type: path
"""

EXAMPLES = r"""
- name: Have the indexer read the last two hours again
  simple_analytics.pipeline.kinesis_consumer_rewind:
    application: analytics-prod-indexer
    stream: analytics-prod-events
    position: at_timestamp
    timestamp: 2h
    manifest: /var/lib/rewinds/analytics-prod-indexer.2026-11-25T1400.rewind
    wait: true
    region: eu-central-1

- name: Have one record of a shard, and all after it, read again
  simple_analytics.pipeline.kinesis_consumer_rewind:
    application: analytics-prod-indexer
    stream: analytics-prod-events
    position: sequence_numbers
    sequence_numbers:
      shardId-000000000001: "49668899999919478200110"
    manifest: /var/lib/rewinds/analytics-prod-indexer.one-record.rewind
    region: eu-central-1

- name: Complete a rewind that was interrupted
  simple_analytics.pipeline.kinesis_consumer_rewind:
    application: analytics-prod-indexer
    stream: analytics-prod-events
    resume: /var/lib/rewinds/analytics-prod-indexer.2026-11-25T1400.rewind
    region: eu-central-1
"""

RETURN = r"""
moves:
  description:
    - For each shard that this call moved, or in check mode would move, from where to where.
    - The time is that of the record there, as far as the stream still has it.
  returned: success
  type: list
  elements: dict
  sample:
    - shard: shardId-000000000001
      before: {checkpoint: "49668899999919478283720", time: "2026-11-25T14:01:07.120+00:00", age: 2 s}
      after: {checkpoint: "49668899999919478200110", time: "2026-11-25T12:01:09.402+00:00", age: 1 h 59 min}
states:
  description:
    - For each shard of the rewind how far it is.
    - It is V(planned), V(written), V(taken) again by a worker, or V(moved) past its new position.
  returned: success
  type: dict
  sample: {shardId-000000000001: taken}
kept:
  description: For each shard in question that stays, why.
  returned: success
  type: dict
  sample: {shardId-000000000003: no record of that time}
done:
  description: Whether every shard was taken again, and has moved past its new position if records lie there.
  returned: success
  type: bool
  sample: true
lag:
  description:
    - For how many milliseconds the oldest record that is not checkpointed has waited, in the shard
      that is furthest behind.
    - It is V(null) while nobody knows.
  returned: with O(resume), and after waiting
  type: int
  sample: 5400000
summary:
  description: How far the rewind is, in one line.
  returned: success
  type: str
  sample: "4 shards to move: 4 written, 4 taken again, 3 moved on"
manifest:
  description: File that O(resume) and O(restore) take.
  returned: success
  type: str
  sample: /var/lib/rewinds/analytics-prod-indexer.2026-11-25T1400.rewind
"""

import secrets
import typing as t
from datetime import UTC, datetime

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._aws import CLIENT_CONFIG
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._errors import PipelineError
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._lease_table import LeaseTable
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._manifest import Manifest
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._rewind_report import (
    describe,
    diff,
    report,
)
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._rewinding import (
    carry_out,
    gone,
    is_whole,
    prepare,
    put_back,
    require_options_that_belong,
    restorable,
    resumable,
)
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._stream import Stream
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._waiting import WAIT_SPEC


def go(module: AnsibleAWSModule, table: LeaseTable, stream: Stream, now: datetime) -> dict[str, t.Any]:
    """Begin a rewind, or complete one."""
    kept: dict[str, str] = {}
    # The first answer says where it goes, and each later one how it comes on.
    with_lag = bool(module.params["resume"]) and not module.check_mode
    if module.params["resume"]:
        manifest = Manifest.load(module.params["resume"], table.name, stream.name)
        manifest.require_not_put_back()
    else:
        moves, kept = prepare(module.params, table, stream, now)
        rewind = f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
        settled = not is_whole(module.params)
        manifest = Manifest(module.params["manifest"], rewind, table.name, stream.name, moves, settled)
        if moves and not module.check_mode:
            manifest.create()
    # Before anything is written, so that a read that fails takes no result away.
    there = describe(manifest.rest(), stream, now)
    if module.check_mode or not manifest.moves:
        return {"kept": kept, **report(table, stream, manifest, there, with_lag)}
    with resumable(manifest):
        there += describe(carry_out(table, stream, manifest), stream, now)
        return {"kept": kept, **report(table, stream, manifest, there, with_lag)}


def undo(module: AnsibleAWSModule, table: LeaseTable, stream: Stream, now: datetime) -> dict[str, t.Any]:
    """Put back what a rewind wrote."""
    manifest = Manifest.load(module.params["restore"], table.name, stream.name)
    present = table.read()
    leases = restorable(table, manifest, present)
    there = describe([move for move in manifest.moves if move.shard.id in leases], stream, now)
    if not module.check_mode:
        # First of all, and where nothing is written yet, too: a call that was killed may still be going.
        if not manifest.put_back:
            manifest.note_put_back()
        put_back(table, manifest, leases)
    return {
        "done": True,
        "summary": f"{len(leases)} shards put back to where they were",
        "moves": [{**move, "before": move["after"], "after": move["before"]} for move in there],
        "states": {},
        "kept": gone(manifest, present),
        "manifest": manifest.path,
    }


def run(module: AnsibleAWSModule, table: LeaseTable, stream: Stream, now: datetime) -> dict[str, t.Any]:
    require_options_that_belong(module.params)
    result = (undo if module.params["restore"] else go)(module, table, stream, now)
    return {**result, "changed": bool(result["moves"]), "diff": diff(result["moves"])}


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            **WAIT_SPEC,
            "application": {"type": "str", "required": True},
            "stream": {"type": "str", "required": True},
            "position": {"type": "str", "choices": ["trim_horizon", "latest", "at_timestamp", "sequence_numbers"]},
            "timestamp": {"type": "str"},
            "clamp": {"type": "bool", "default": False},
            "sequence_numbers": {"type": "dict"},
            "shards": {"type": "list", "elements": "str"},
            "allow_skip": {"type": "bool", "default": False},
            "manifest": {"type": "path"},
            "resume": {"type": "path"},
            "restore": {"type": "path"},
        },
        required_one_of=[("position", "resume", "restore")],
        mutually_exclusive=[("position", "resume", "restore"), ("shards", "sequence_numbers")],
        required_if=[
            ("position", "at_timestamp", ["timestamp"]),
            ("position", "sequence_numbers", ["sequence_numbers"]),
        ],
        supports_check_mode=True,
    )
    if module.params["position"] and not module.params["manifest"] and not module.check_mode:
        module.fail_json(msg="manifest is required with position: a new file for the former state of the leases.")
    table = LeaseTable(module.client("dynamodb", config=CLIENT_CONFIG), module.params["application"])
    stream = Stream(module.client("kinesis", config=CLIENT_CONFIG), module.params["stream"])
    try:
        result = run(module, table, stream, datetime.now(UTC))
    except PipelineError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
