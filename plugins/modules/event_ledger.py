#!/usr/bin/python

# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: event_ledger
short_description: Account for every access log line that was delivered
version_added: 0.1.0
description:
  - Reads the raw access logs, the archive, the malformed and undeliverable records and the index.
  - For each hour of event time, lines delivered = filtered + events + repeated + malformed + lost, each of them
    counted, and events = archived = indexed + undeliverable. The page C(docs/ledger.md) says what each term means.
  - It classifies lines by a rule of its own, apart from the one that the capture pipeline uses.
  - It only reads.
author: Simple Analytics contributors (@simple-analytics)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - simple_analytics.pipeline.elasticsearch
  - simple_analytics.pipeline.waiting
attributes:
  check_mode:
    description: Does the same in check mode, as it changes nothing.
    support: full
  diff_mode:
    description: There is nothing to compare, as it changes nothing.
    support: none
options:
  logs_bucket:
    description:
      - Bucket that the access logs are delivered to.
    type: str
    required: true
  logs_prefix:
    description:
      - Prefix of their keys. Objects that were processed lie under C(Processed/) and this prefix.
    type: str
    required: true
  events_bucket:
    description:
      - Bucket of clean events, with C(events/), C(malformed/) and C(undeliverable/).
    type: str
    required: true
  index:
    description:
      - Alias or name of the index that holds the events. One that does not exist holds none.
    type: str
    required: true
  pixel_path:
    description:
      - Regular expression of the paths that count as the pixel.
    type: str
    default: ^/pixel\.gif$
  from:
    description:
      - First hour to look at, by event time in UTC, for example V(2026-11-24) or V(2026-11-24T18).
      - As far back as the stores go when not given.
    type: str
  to:
    description:
      - First hour not to look at.
      - There is no end when not given.
    type: str
  open_hours:
    description:
      - An hour younger than this many hours is open. Lines of it may still come, so it is listed but does not count.
    type: int
    default: 24
  retention_days:
    description:
      - An hour older than this many days has expired in one store or another. It is listed but does not count.
    type: int
    default: 90
"""

EXAMPLES = r"""
- name: Account for yesterday
  simple_analytics.pipeline.event_ledger:
    logs_bucket: analytics-prod-logs
    logs_prefix: cloudfront/
    events_bucket: analytics-prod-events
    index: simple-analytics-events
    from: "2026-11-23"
    to: "2026-11-24"
    url: https://10.0.0.31:9200
    username: reader
    password: "{{ reader_password }}"
    ca_path: /etc/logstash/certificates/elasticsearch.pem
    region: eu-central-1
  register: ledger
  failed_when: not ledger.closed
"""

RETURN = r"""
closed:
  description:
    - Whether in all settled hours nothing is lost and nothing differs.
  returned: success
  type: bool
  sample: true
summary:
  description: The ledger in one line, over all settled hours.
  returned: success
  type: str
  sample: >-
    ledger: delivered=120 events=100 repeated=0 archived=100 indexed=100 undeliverable=0 malformed=4 filtered=16 lost=0
table:
  description: The ledger as a table for people, an hour a line.
  returned: success
  type: list
  elements: str
  sample: ["   hour (UTC)    state  delivered  events", "2026-11-24T22  settled        120     100"]
totals:
  description: Each term over all settled hours.
  returned: success
  type: dict
  sample: {delivered: 120, events: 100, archived: 100, indexed: 100, malformed: 4, filtered: 16, lost: 0}
hours:
  description: Each term of each hour, and whether the hour is V(settled), V(open) or V(expired).
  returned: success
  type: list
  elements: dict
  sample: [{hour: 2026-11-24T22, state: settled, delivered: 120, events: 100}]
lost:
  description:
    - Hits of settled hours that are found neither in the archive nor among the malformed records, the first thousand.
    - A line that cannot be split has no id, only the hash that its malformed record would have.
  returned: success
  type: list
  elements: dict
  sample: [{hour: 2026-11-24T22, id: null, key: cloudfront/E1A2.2026-11-24-22.4f2a91c3.gz, line: 17, hash: 9f86d081}]
not_delivered:
  description: Archived events of settled hours that no delivered line explains, the first thousand.
  returned: success
  type: list
  elements: dict
  sample: [{hour: 2026-11-24T22, id: b1xk}]
not_archived:
  description: Indexed documents of settled hours that the archive lacks, the first thousand.
  returned: success
  type: list
  elements: dict
  sample: []
missing_in_index:
  description: Archived events of settled hours that are neither indexed nor undeliverable, the first thousand.
  returned: success
  type: list
  elements: dict
  sample: []
unreadable:
  description: Objects that break off or hold something else than they should. What can be read of them is counted.
  returned: success
  type: list
  elements: str
  sample: [analytics-prod-logs/cloudfront/E1A2.2026-11-24-22.4f2a91c3.gz]
waiting:
  description: How many raw objects still wait to be processed.
  returned: success
  type: int
  sample: 0
"""

import re
import typing as t
from contextlib import closing
from datetime import UTC, datetime
from tempfile import TemporaryDirectory

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._elasticsearch import (
    CONNECTION_SPEC,
    Client,
)
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._errors import PipelineError
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._ledger import (
    Hours,
    Ledger,
    balance,
    parse_hour,
    settled_hours,
)
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._ledger_stores import (
    Bucket,
    read_delivered,
    read_ids,
    read_index,
    read_malformed,
)
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._waiting import WAIT_SPEC


def path_pattern(text: str) -> re.Pattern[str]:
    """Compile the expression of the pixel's paths."""
    try:
        # As in Ruby, which capture reads it with, a class such as \d means ASCII.
        return re.compile(text, re.ASCII)
    except re.error as error:
        raise PipelineError(f"Failed to read pixel_path {text!r} as a regular expression: {error}.") from error


def read(params: dict[str, t.Any], pixel: re.Pattern[str], hours: Hours, s3: t.Any, client: Client) -> dict[str, t.Any]:  # noqa: ANN401 - boto3's clients have no types
    """The ledger as it stands now."""
    logs, events = Bucket(s3, params["logs_bucket"]), Bucket(s3, params["events_bucket"])
    with TemporaryDirectory() as folder, closing(Ledger(f"{folder}/ledger.sqlite")) as ledger:
        # With the flow, so that what moves on meanwhile is found further down.
        waiting = read_delivered(ledger, logs, params["logs_prefix"], pixel, hours)
        read_malformed(ledger, events, "malformed/", hours)
        read_ids(ledger.archive, events, "events/", hours)
        read_ids(ledger.refuse, events, "undeliverable/", hours)
        read_index(ledger, client, params["index"], hours)
        settled = settled_hours(datetime.now(UTC), params["open_hours"], params["retention_days"])
        result = balance(ledger, settled)
    return {**result, "unreadable": sorted(logs.unreadable | events.unreadable), "waiting": waiting}


def run(module: AnsibleAWSModule, s3: t.Any, client: Client) -> dict[str, t.Any]:  # noqa: ANN401 - boto3's clients have no types
    hours = Hours(parse_hour(module.params["from"]), parse_hour(module.params["to"]))
    pixel = path_pattern(module.params["pixel_path"])
    return read(module.params, pixel, hours, s3, client)


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            **CONNECTION_SPEC,
            **WAIT_SPEC,
            "logs_bucket": {"type": "str", "required": True},
            "logs_prefix": {"type": "str", "required": True},
            "events_bucket": {"type": "str", "required": True},
            "index": {"type": "str", "required": True},
            "pixel_path": {"type": "str", "default": r"^/pixel\.gif$"},
            "from": {"type": "str"},
            "to": {"type": "str"},
            "open_hours": {"type": "int", "default": 24},
            "retention_days": {"type": "int", "default": 90},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module, module.client("s3"), Client.from_params(module.params))
    except PipelineError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
