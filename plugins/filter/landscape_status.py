# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from ansible_collections.simple_analytics.pipeline.plugins.module_utils._moments import age

DOCUMENTATION = r"""
name: landscape_status
short_description: Judge how well a landscape is
version_added: 0.1.0
description:
  - Makes one line for each part of what was found, and says what to do where a part is not well.
positional: _input
options:
  _input:
    description:
      - What was found. A part that is left out is not judged.
      - C(stacks), their states by name. C(waiting), how many log objects nobody has processed.
      - C(hosts), for each host with Logstash what C(/_node/stats/pipelines) said C(before) and C(after) C(seconds).
      - C(consumers), as the module C(kinesis_consumer_info) returns them.
      - C(jobs), for each host the states of its timers and of services that failed, as systemd names them.
      - C(cluster), for each node what the module C(elasticsearch_health) returned there as C(health), and the
        C(indicators) of its C(_health_report); the last C(snapshots), the mappings of indices that a reindex or restore
        has C(made), and the settings of those whose writes are C(blocked).
      - C(index), whether anything was C(archived), and for each of the C(nodes) what its C(_stats) said of
        C(_all.primaries) C(before) and C(after) C(seconds), and its C(last_event).
      - C(kibana), for each of its hosts what C(/api/status) said.
    type: dict
    required: true
  now:
    description: The time, as C(2026-11-28T12:00:00+00:00), like that of the last event.
    type: str
    required: true
  limits:
    description:
      - How many objects may wait, C(waiting).
      - For how many minutes a consumer may be behind, C(lag), the last event may be over, C(last_event), and the last
        snapshot, C(snapshot).
    type: dict
    required: true
author:
  - Simple Analytics contributors
"""

EXAMPLES = r"""
- name: Show it
  ansible.builtin.debug:
    msg: "{{ (found | simple_analytics.pipeline.landscape_status(now, limits)).lines }}"
"""

RETURN = r"""
_value:
  description:
    - C(healthy), whether every part is well.
    - C(checks), for each part its C(subject), whether it is C(ok), what it C(says), and what to C(do) where it is not.
    - C(lines), the same for people.
  type: dict
"""

STACK_STATES = {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE"}
EMPTY_QUEUE = 1  # bytes of a dead letter queue that holds its version and no letter


class Check(NamedTuple):
    """One part."""

    subject: str
    ok: bool
    says: str
    do: str  # where it is not well


Limits = Mapping[str, float]


def stacks(found: Mapping[str, str], now: datetime, limits: Limits) -> Iterator[Check]:
    """Judge what AWS runs."""
    for name, state in found.items():
        do = "playbooks/stacks.yml says what failed, and deploys it again"
        yield Check(f"stack {name}", state in STACK_STATES, state, do)


def waiting(found: int, now: datetime, limits: Limits) -> Iterator[Check]:
    """Judge what capture has before it."""
    do = "does capture run? The line of its host says so, and `journalctl -u logstash` there why"
    more = " or more" if found > limits["waiting"] else ""
    yield Check("log objects", found <= limits["waiting"], f"{found or 'none'}{more} to be processed", do)


def nobody(found: Mapping[str, Any], subject: str) -> Iterator[Check]:
    """Miss hosts of which the inventory has none, as of instances that AWS has lost."""
    if not found:
        do = "do its instances run? When new ones do, site.yml installs them"
        yield Check(subject, False, "is on no host of the inventory", do)


def hosts(found: Mapping[str, Any], now: datetime, limits: Limits) -> Iterator[Check]:
    """Judge Logstash, host by host and pipeline by pipeline."""
    yield from nobody(found, "Logstash")
    for host, answers in found.items():
        if not answers["after"]:
            do = "does the host run? `systemctl status logstash` there says more; playbooks/processors.yml mends it"
            yield Check(f"Logstash on {host}", False, "does not answer", do)
        for name, pipeline in answers["after"].items():
            before = answers["before"].get(name, pipeline)
            rate = (pipeline["events"]["out"] - before["events"]["out"]) / answers["seconds"]
            says = f"{rate:.0f} events a second, {pipeline['queue']['events_count']} queued"
            letters = pipeline.get("dead_letter_queue", {})
            if letters.get("queue_size_in_bytes", 0) > EMPTY_QUEUE:
                says += f", {letters['queue_size_in_bytes']} bytes of dead letters"
            dropped = letters.get("dropped_events", 0)
            do = f"{dropped} dead letters found no room and are lost to the index: raise the queue's size, and replay"
            yield Check(f"{name} on {host}", not dropped, says, do)


def consumers(found: list[dict[str, Any]], now: datetime, limits: Limits) -> Iterator[Check]:
    """Judge the stream's readers."""
    for consumer in found:
        late = (consumer["lag"] or 0) > limits["lag"] * 60_000 and not consumer["quiet"]
        do = "does its worker run? The line of its host says so; playbooks/restart_processors.yml starts it anew"
        subject = f"consumer {consumer['application']}"
        yield Check(subject, not late and not consumer["totals"]["silent"], consumer["summary"], do)


def cluster(found: Mapping[str, Any], now: datetime, limits: Limits) -> Iterator[Check]:
    """Judge Elasticsearch, as the node with the most others in sight knows it."""
    yield from nobody(found, "cluster")
    if not found:
        return
    best = max(found.values(), key=lambda node: node["health"]["nodes"])
    alive = best["health"]["nodes"]
    do = "`GET _cluster/allocation/explain` says why a shard is nowhere" if alive else "mend the nodes first, as below"
    yield Check("cluster", bool(best["health"]["done"]), best["health"]["summary"], do)
    for host, node in found.items():
        if not node["health"]["nodes"]:
            do = "does its host run, and do the others reach it? `systemctl status elasticsearch` there says more;"
            yield Check(f"node {host}", False, node["health"]["summary"], f"{do} playbooks/search.yml brings it back")
    yield from snapshots(best["snapshots"], now, limits)
    yield from unfinished(best["made"], best["blocked"])
    for name, indicator in best["indicators"].items():
        # Whether enough shards are there has been judged above.
        if indicator["status"] in ("yellow", "red") and name != "shards_availability":
            diagnosis: Mapping[str, Any] = next(iter(indicator.get("diagnosis", ())), {})
            yield Check(f"cluster's {name.replace('_', ' ')}", False, *advice(indicator["symptom"], diagnosis))


def snapshots(found: list[dict[str, Any]], now: datetime, limits: Limits) -> Iterator[Check]:
    """Judge the last that is whole."""
    starts = [each["start_time_in_millis"] for each in found if each["state"] == "SUCCESS"]
    do = "`journalctl -u simple-analytics-snapshot` on the search hosts says why; playbooks/snapshot.yml takes one"
    if starts:
        passed = now - datetime.fromtimestamp(max(starts) / 1000, UTC)
        yield Check("snapshot", passed <= timedelta(minutes=limits["snapshot"]), f"the last {age(passed)} ago", do)
    elif found:
        yield Check("snapshot", False, "none is whole", do)


def unfinished(made: Mapping[str, Any], blocked: Mapping[str, Any]) -> Iterator[Check]:
    """Name what a reindex or a restore has left, which may still be at work."""
    for index, mapping in made.items():
        for kind, mark in mapping["mappings"]["_meta"].items():
            if not mark["done"]:
                yield Check(f"{kind} of {index}", True, "is not done: the command that began it goes on with it", "")
    for index in blocked:
        do = "a reindex that was killed left it so: give its command again"
        yield Check(f"writes to {index}", False, "are kept back", do)


def jobs(found: Mapping[str, Mapping[str, str]], now: datetime, limits: Limits) -> Iterator[Check]:
    """Judge what timers begin, host by host."""
    for host, states in found.items():
        ill = {unit: state for unit, state in states.items() if state not in ("active", "activating")}
        if states and not ill:
            yield Check(f"jobs on {host}", True, f"{len(states)} timers wait", "")
        for unit, state in ill.items():
            mended = "the playbook that installs it starts it again" if unit.endswith(".timer") else "mend that"
            yield Check(f"{unit} on {host}", False, state, f"`journalctl -u {unit}` there says why; {mended}")


def advice(symptom: str, diagnosis: Mapping[str, Any]) -> tuple[str, str]:
    """Say it in the cluster's own words."""
    affected = diagnosis.get("affected_resources", {})
    names = [*(node["name"] for node in affected.get("nodes", ())), *affected.get("indices", ())]
    return ": ".join([symptom.rstrip("."), *([", ".join(names)] if names else [])]), diagnosis.get(
        "action", "`GET _health_report` says more"
    )


def index(found: Mapping[str, Any], now: datetime, limits: Limits) -> Iterator[Check]:
    """Judge what can be searched, as the first node that answers knows it."""
    answering = [node for node in found["nodes"].values() if node["after"]]
    yield from (judged(node, found["archived"], now, limits) for node in answering[:1])


def judged(found: Mapping[str, Any], archived: bool, now: datetime, limits: Limits) -> Check:
    """Judge one node's answer."""
    if not found["last_event"]:
        do = "the archive has events: docs/runbook.md says how to bring them back, if the index was lost"
        return Check("index", not archived, "has no event" if archived else "has no event yet", do)
    written = [found[when]["indexing"]["index_total"] for when in ("before", "after")]
    rate = (written[1] - written[0]) / found["seconds"]
    passed = now - datetime.fromisoformat(found["last_event"])
    says = f"{found['after']['docs']['count']} documents, {rate:.0f} more a second, the last event {age(passed)} ago"
    do = "nobody came, or events are held up: the lines above say where, and docs/runbook.md goes on from there"
    return Check("index", passed <= timedelta(minutes=limits["last_event"]), says, do)


def kibana(found: Mapping[str, Any], now: datetime, limits: Limits) -> Iterator[Check]:
    """Judge what people look at it with."""
    yield from nobody(found, "Kibana")
    for host, answer in found.items():
        status = answer.get("status", {}).get("overall", {})
        level = status.get("level", "does not answer")
        says = ": ".join([level, *([status["summary"]] if level != "available" and status.get("summary") else [])])
        do = "`journalctl -u kibana` there says why; playbooks/dashboards.yml mends it, its token included"
        yield Check(f"Kibana on {host}", level == "available", says, do)


# In the order that data flows.
PARTS: dict[str, Callable[[Any, datetime, Limits], Iterator[Check]]] = {
    "stacks": stacks,
    "waiting": waiting,
    "hosts": hosts,
    "jobs": jobs,
    "consumers": consumers,
    "cluster": cluster,
    "index": index,
    "kibana": kibana,
}


def told(check: Check, width: int) -> str:
    """Write one line."""
    return f"{'ok ' if check.ok else 'BAD'} {check.subject:<{width}}  {check.says}{'' if check.ok else f': {check.do}'}"


def landscape_status(found: Mapping[str, Any], now: str, limits: Limits) -> dict[str, Any]:
    """Judge each part."""
    moment = datetime.fromisoformat(now)
    checks = [check for part, judge in PARTS.items() if part in found for check in judge(found[part], moment, limits)]
    width = max(len(check.subject) for check in checks)
    return {
        "healthy": all(check.ok for check in checks),
        "checks": [{**check._asdict(), "do": "" if check.ok else check.do} for check in checks],
        "lines": [told(check, width) for check in checks],
    }


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name the filters."""
        return {"landscape_status": landscape_status}
