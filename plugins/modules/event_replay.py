#!/usr/bin/python

# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: event_replay
short_description: Send archived events again, to the stream or straight to the index
version_added: 0.1.0
description:
  - Reads the archive of clean events and sends those of a span of event time again, under their ids and versions, so
    that whoever has one already is left with one.
  - By way of the stream every consumer gets them. The archiver, which has them, leaves them out by their label.
  - How far it is stands in an object beside the archive. A replay that was killed goes on there. One that is finished
    sends what was archived of the span since, and tries again the objects of which the index refused events.
  - Of two runs of one replay the earlier ends as soon as it is to write there, since the later has it now.
  - For what the stream still keeps M(simple_analytics.pipeline.kinesis_consumer_rewind) is faster.
author: Simple Analytics contributors (@simple-analytics)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - simple_analytics.pipeline.elasticsearch
  - simple_analytics.pipeline.waiting
requirements:
  - botocore >= 1.35.69
attributes:
  check_mode:
    description:
      - Counts what would be sent, and sends nothing. To count it reads all of it in one call, however long that takes.
    support: full
  diff_mode:
    description: There is nothing to compare, as it changes nothing that can be read back here.
    support: none
options:
  name:
    description:
      - Name of the replay, by which it is gone on with.
      - Made of the question when not given, so that the same question asked again is the same replay. To send the same
        events once more give another name.
    type: str
  events_bucket:
    description:
      - Bucket of clean events, with C(events/). The progress goes to C(replays/).
    type: str
    required: true
  from:
    description:
      - First event time, in ISO 8601 with a zone, or in seconds or milliseconds since 1970.
    type: str
    required: true
  until:
    description:
      - First event time that is not sent any more, in the same forms.
    type: str
    required: true
  match:
    description:
      - Values that fields of the event must have, by dotted path, as in C(event.action).
    type: dict
    default: {}
  target:
    description:
      - Where the events go.
    type: str
    choices: [stream, index]
    default: stream
  stream:
    description:
      - Name of the stream. Required when O(target=stream).
    type: str
  index:
    description:
      - What the names of daily indices begin with.
    type: str
    default: simple-analytics-events
  retention_days:
    description:
      - Days before today whose indices are kept. Events of earlier days are refused, since their indices would be made
        anew, and removed the next night.
      - V(0) refuses none.
    type: int
    default: 0
  rate:
    description:
      - Events a second, at most.
      - V(0) is half of what the stream's shards take, so that the other half is left to what comes in meanwhile. The
        index is sent as much as it takes.
    type: int
    default: 0
  url:
    description:
      - Addresses of the cluster's nodes, with scheme and port. Required when O(target=index).
    type: list
    elements: str
    required: false
  username:
    description:
      - User to sign in as. Required when O(target=index).
    type: str
    required: false
  password:
    description:
      - Password of O(username). Required when O(target=index).
    type: str
    required: false
  wait_sleep:
    description:
      - How many seconds to send before saying how far it is.
    type: int
    default: 5
"""

EXAMPLES = r"""
- name: Have every consumer see last October again
  simple_analytics.pipeline.event_replay:
    events_bucket: analytics-prod-events
    from: "2026-10-01T00:00:00Z"
    until: "2026-11-01T00:00:00Z"
    stream: analytics-prod
    region: eu-central-1
    wait: true
    wait_timeout: 36000
"""

RETURN = r"""
replay:
  description: Name of the replay, which its events carry as C(labels.replay).
  returned: success
  type: str
  sample: 20261001T000000Z-20261101T000000Z-stream-5f2c81d0
manifest:
  description: Where its progress stands.
  returned: success
  type: str
  sample: s3://analytics-prod-events/replays/20261001T000000Z-20261101T000000Z-stream-5f2c81d0.json
done:
  description: Whether all of it is sent.
  returned: success
  type: bool
  sample: true
summary:
  description: How far it is, in one line.
  returned: success
  type: str
  sample: 12 of 40 objects, 61440 events, 980 a second, 4 min 10 s left
events:
  description: How many events were sent so far.
  returned: success
  type: int
  sample: 61440
left:
  description: How many events would be sent.
  returned: in check mode
  type: int
  sample: 61440
bytes:
  description: How many bytes they have.
  returned: in check mode
  type: int
  sample: 60123456
duration:
  description: How many seconds that would take at the rate. None where there is no rate, and it is not known.
  returned: in check mode
  type: int
  sample: 410
older:
  description: How many events the index has in a newer version.
  returned: success
  type: int
  sample: 0
refused:
  description: How many events the index refused. Their objects are tried again by the same call when it is done.
  returned: success
  type: int
  sample: 1
reasons:
  description: Why, by the event's id, of the first hundred.
  returned: success
  type: dict
  sample: {b1xk: "document_parsing_exception: failed to parse"}
unreadable:
  description: Objects that break off or hold something else than events. What can be read of them is sent.
  returned: success
  type: list
  elements: str
  sample: []
"""

import gc
import re
import typing as t
from datetime import UTC, date, datetime, timedelta
from math import ceil

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._archive import Selection
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._elasticsearch import CONNECTION_SPEC, Client
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._errors import PipelineError
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._ledger_stores import Bucket
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._moments import age, parse_moment
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._pace import Pace
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._replay import (
    Manifest,
    Progress,
    Replay,
    plan,
    question,
    replay_name,
    require_question,
)
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._replay_targets import (
    UNCHECKED,
    IndexTarget,
    NoTarget,
    StreamTarget,
    Target,
)
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._stream import Stream
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._waiting import WAIT_SPEC

# Half of what a shard takes: https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
SHARD_EVENTS = 500
SHARD_BYTES = 512 * 1024
TOLD = ("done", "summary", "events", "older", "refused", "reasons", "unreadable")


def selection(params: dict[str, t.Any], now: datetime) -> Selection:
    """The question."""
    for option in ("rate", "retention_days"):
        if params[option] < 0:
            raise PipelineError(f"{option} is {params[option]}; it is 0 or more.")
    if params["name"] and not re.fullmatch(r"\w[\w.-]*", params["name"]):
        raise PipelineError(f"name {params['name']!r} is none: letters, digits, underscores, hyphens and dots.")
    since, until = parse_moment(params["from"]), parse_moment(params["until"])
    if since > now:
        raise PipelineError(f"from {params['from']!r} lies {age(since - now)} in the future.")
    if since >= until:
        raise PipelineError(f"from {params['from']!r} is no earlier than until {params['until']!r}.")
    oldest = now.date() - timedelta(days=min(params["retention_days"], (now.date() - date.min).days))
    if params["retention_days"] and since.date() < oldest:
        raise PipelineError(
            f"from {params['from']!r} is a day whose index is removed after {params['retention_days']} days: the replay"
            f" would make it anew until the next night. The oldest that stays is {oldest}; retention_days=0 sends all."
        )
    return Selection(since, until, params["match"])


def pace(params: dict[str, t.Any], kinesis: t.Any) -> tuple[float, float]:  # noqa: ANN401 - boto3 makes its clients' types at run time
    """Events and bytes a second."""
    if params["target"] == "index":
        return params["rate"], 0
    shards = Stream(kinesis, params["stream"]).shards().values()
    count = sum(shard.last_number is None for shard in shards)
    return params["rate"] or count * SHARD_EVENTS, count * SHARD_BYTES


def foretell(
    work: t.Callable[[Target, Progress], None], progress: Progress, rates: tuple[float, float]
) -> dict[str, t.Any]:
    """How much there is to send, and for how long."""
    target, ahead = NoTarget(), Progress.of(progress.text())
    work(target, ahead)
    spans = [much / rate for much, rate in zip((target.events, target.size), rates, strict=True) if rate]
    return {
        "changed": target.events > 0,
        "left": target.events,
        "bytes": target.size,
        "duration": ceil(max(spans)) if spans else None,
        "unreadable": ahead.unreadable,
    }


def run(module: AnsibleAWSModule, s3: t.Any, kinesis: t.Any, client: Client | None) -> dict[str, t.Any]:  # noqa: ANN401 - as above
    params, chosen = module.params, selection(module.params, datetime.now(UTC))
    name = params["name"] or replay_name(chosen, params["target"])
    bucket, manifest = Bucket(s3, params["events_bucket"]), Manifest(s3, params["events_bucket"], name)
    rates = pace(params, kinesis)
    asked = question(chosen, params["target"])
    progress = manifest.load() or Progress(asked, {})
    require_question(name, progress.asked, asked)
    if progress.done:  # or not begun
        progress.begin(plan(bucket, chosen))  # what was archived meanwhile belongs to it as well
    sent, foretold = progress.events, {}
    if module.check_mode:
        foretold = foretell(
            lambda target, ahead: Replay(name, chosen, bucket, target, Pace(0)).work(ahead), progress, rates
        )
    elif not progress.done:
        writer = IndexTarget(client, params["index"]) if client else StreamTarget(kinesis, params["stream"])
        Replay(name, chosen, bucket, writer, Pace(*rates), manifest.save).work(progress, params["wait_sleep"])
    told = {term: getattr(progress, term) for term in TOLD}
    return {"changed": progress.events > sent, "replay": name, "manifest": manifest.path, **told, **foretold}


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            **WAIT_SPEC,
            **{name: {**spec, "required": False} for name, spec in CONNECTION_SPEC.items()},
            "name": {"type": "str"},
            "events_bucket": {"type": "str", "required": True},
            "from": {"type": "str", "required": True},
            "until": {"type": "str", "required": True},
            "match": {"type": "dict", "default": {}},
            "target": {"type": "str", "choices": ["stream", "index"], "default": "stream"},
            "stream": {"type": "str"},
            "index": {"type": "str", "default": "simple-analytics-events"},
            "retention_days": {"type": "int", "default": 0},
            "rate": {"type": "int", "default": 0},
        },
        required_if=[("target", "stream", ("stream",)), ("target", "index", ("url", "username", "password"))],
        supports_check_mode=True,
    )
    try:
        module.require_botocore_at_least("1.35.69", reason="to leave alone a manifest that another run has written")
        client = Client.from_params(module.params) if module.params["target"] == "index" else None
        kinesis = module.client("kinesis", config=UNCHECKED)
        s3 = module.client("s3")
        # The collector need not look at the clients again and again, which would take a quarter of the time.
        gc.freeze()
        result = run(module, s3, kinesis, client)
    except PipelineError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
