# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps a cluster's house: removes the indices of days that are over, and takes a snapshot of all others each day.

Each may run on every node, as often as one likes: what is done already is left alone. The password comes from the file
`password` in CREDENTIALS_DIRECTORY, as systemd gives it to a unit, or else from standard input.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from elastic_transport import Transport, TransportError
from elastic_transport.client_utils import basic_auth_to_header, url_to_node_config

INDICES = "simple-analytics-events-*"
# Leads to the indices that are in force, and to none that a reindex fills or keeps.
ALIAS = "simple-analytics-events"
# A day's index, and what a reindex has made of it.
INDEX = re.compile(r"simple-analytics-events-(\d{4})\.(\d{2})\.(\d{2})(?:-\d{6})?")
SNAPSHOT = "simple-analytics-events-"
BROKEN = ("PARTIAL", "FAILED")
POLL_SECONDS = 5
SNAPSHOT_SECONDS = 12 * 3600
REQUEST_SECONDS = 60
# What a library calls its connection in front of why there is none.
OBJECT = re.compile(r"^<?[\w.]*HTTPS?Connection\b.*?: (?=[A-Z])")


class Cluster:
    def __init__(self, url: str, authority: str, user: str, password: str) -> None:
        node = url_to_node_config(url).replace(ca_certs=authority)
        self._transport = Transport([node])
        self._headers = {"accept": "application/json", "authorization": basic_auth_to_header((user, password))}

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None, unless: str = "") -> Any:  # noqa: ANN401 - JSON
        """The answer; None where it is an error of this type. What is to go may be gone: another node has done it."""
        headers = {**self._headers, **({"content-type": "application/json"} if body else {})}
        # A snapshot goes when those that run have ended, file by file, and on S3 that takes long.
        seconds = SNAPSHOT_SECONDS if method == "DELETE" else REQUEST_SECONDS
        try:
            answer = self._transport.perform_request(method, path, body=body, headers=headers, request_timeout=seconds)
        except TransportError as error:
            raise SystemExit(f"Failed to {method} {path}: {OBJECT.sub('', str(error.message))}") from error
        if unless and answer.meta.status == 400 and answer.body["error"]["type"] == unless:
            return None
        if answer.meta.status >= 300 and (method, answer.meta.status) != ("DELETE", 404):
            raise SystemExit(f"Failed to {method} {path}: {answer.meta.status} {json.dumps(answer.body)}")
        return answer.body


def over(indices: list[str], today: date, days: int) -> list[str]:
    """Those of days of which there are `days` between them and today."""
    return sorted(index for index in indices if (day := day_of(index)) and day < today - timedelta(days=days))


def day_of(index: str) -> date | None:
    named = INDEX.fullmatch(index)
    try:
        return date(*map(int, named.groups())) if named else None
    except ValueError:  # no day of the calendar, and so none of ours
        return None


def expired(snapshots: Mapping[str, int], keep: int) -> list[str]:
    """All but the last of ours, given with their number of indices. None while the last lacks most that was there."""
    ours = sorted(name for name in snapshots if name.startswith(SNAPSHOT))
    if len(ours) > 1 and snapshots[ours[-1]] < snapshots[ours[-2]] / 2:
        return []
    return ours[: max(0, len(ours) - keep)]


def retain(cluster: Cluster, today: date, days: int, check: bool) -> list[str]:
    there = cluster.ask("GET", f"/_resolve/index/{INDICES}")["indices"]
    gone = over([index["name"] for index in there], today, days)
    for index in gone:
        if not check:
            remove(cluster, index)
    return [f"{index} {'would be ' if check else ''}removed" for index in gone]


def remove(cluster: Cluster, index: str) -> None:
    """Waits for a snapshot that reads the index: left to the next night, it might meet that night's again."""
    path, deadline = f"/{quote(index)}?ignore_unavailable=true", 0.0
    while cluster.ask("DELETE", path, unless="snapshot_in_progress_exception") is None:
        if not deadline:
            print(f"{index} waits for the end of a snapshot that reads it", flush=True)
            deadline = time.monotonic() + SNAPSHOT_SECONDS
        if time.monotonic() > deadline:
            raise SystemExit(
                f"A snapshot still reads {index} after {SNAPSHOT_SECONDS // 3600} hours; it goes next time."
            )
        time.sleep(POLL_SECONDS)


def named(today: date, label: str) -> str:
    """The snapshot's name, by which those of a day are sorted into it."""
    if not re.fullmatch(r"[a-z0-9-]*", label):
        raise SystemExit(f"'{label}' is no label: give small letters, digits and hyphens.")
    return f"{SNAPSHOT}{today:%Y.%m.%d}{'-' if label else ''}{label}"


def snapshot(cluster: Cluster, name: str, repository: str, keep: int, check: bool) -> list[str]:
    path = f"/_snapshot/{quote(repository)}"
    there = {found["snapshot"]: found for found in cluster.ask("GET", f"{path}/*")["snapshots"]}
    said = []
    if there.get(name, {}).get("state") in BROKEN:
        said.append(f"{name} is {there.pop(name)['state']} and {'would be ' if check else ''}removed")
        if not check:
            cluster.ask("DELETE", f"{path}/{name}")
    if name not in there:
        said.append(f"{name} {'would be ' if check else ''}taken")
        there[name] = {"state": "SUCCESS", "indices": cluster.ask("GET", f"/_resolve/index/{INDICES}")["indices"]}
        if not check:
            chosen = {"indices": ALIAS, "ignore_unavailable": True, "include_global_state": False}
            cluster.ask("PUT", f"{path}/{name}", chosen, unless="invalid_snapshot_name_exception")
    if not check:
        there[name] = whole(cluster, f"{path}/{name}")
    counts = {each: len(found["indices"]) for each, found in there.items() if found["state"] == "SUCCESS"}
    for old in expired(counts, keep):
        if not check:
            cluster.ask("DELETE", f"{path}/{quote(old)}")
        said.append(f"{old} {'would be ' if check else ''}removed")
    return said


def whole(cluster: Cluster, path: str) -> dict[str, Any]:
    """The snapshot, once it is."""
    deadline = time.monotonic() + SNAPSHOT_SECONDS
    while True:
        found: dict[str, Any] = cluster.ask("GET", path)["snapshots"][0]
        if found["state"] != "IN_PROGRESS":
            break
        if time.monotonic() > deadline:
            raise SystemExit(f"{path} is not done after {SNAPSHOT_SECONDS // 3600} hours; the cluster goes on with it.")
        time.sleep(POLL_SECONDS)
    if found["state"] != "SUCCESS":
        raise SystemExit(f"{path} is {found['state']}, and is taken anew next time: {json.dumps(found['failures'])}")
    return found


def password() -> str:
    if "CREDENTIALS_DIRECTORY" in os.environ:
        return (Path(os.environ["CREDENTIALS_DIRECTORY"]) / "password").read_text().strip()
    return sys.stdin.readline().strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--authority", required=True, help="file with the certificate of the nodes' authority")
    parser.add_argument("--user", required=True)
    parser.add_argument("--check", action="store_true", help="say what would be done, and do nothing")
    jobs = parser.add_subparsers(dest="job", required=True)
    retention = jobs.add_parser("retention", help="remove indices of days that are over")
    retention.add_argument("--days", type=int, required=True)
    snapshots = jobs.add_parser("snapshot", help="take the day's snapshot")
    snapshots.add_argument("--repository", required=True)
    snapshots.add_argument("--label", default="", help="end of its name, for one more on the same day")
    snapshots.add_argument("--keep", type=int, required=True, help="how many snapshots stay")
    given = parser.parse_args()
    cluster = Cluster(given.url, given.authority, given.user, password())
    today = datetime.now(UTC).date()
    if given.job == "retention":
        said = retain(cluster, today, given.days, given.check)
    else:
        name = named(today, given.label)
        said = snapshot(cluster, name, given.repository, given.keep, given.check) or [f"nothing to do: {name} is there"]
    print("\n".join(said) or "nothing to do")


if __name__ == "__main__":
    main()
