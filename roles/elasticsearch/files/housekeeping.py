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
POLL_SECONDS = 5
REQUEST_SECONDS = 60


class Cluster:
    def __init__(self, url: str, authority: str, user: str, password: str) -> None:
        node = url_to_node_config(url).replace(ca_certs=authority, request_timeout=REQUEST_SECONDS)
        self._transport = Transport([node])
        self._headers = {"accept": "application/json", "authorization": basic_auth_to_header((user, password))}

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:  # noqa: ANN401 - JSON
        headers = {**self._headers, **({"content-type": "application/json"} if body else {})}
        try:
            answer = self._transport.perform_request(method, path, body=body, headers=headers)
        except TransportError as error:
            raise SystemExit(f"Failed to {method} {path}: {error}") from error
        if answer.meta.status >= 300:
            raise SystemExit(f"Failed to {method} {path}: {answer.meta.status} {json.dumps(answer.body)}")
        return answer.body


def over(indices: list[str], today: date, days: int) -> list[str]:
    """Those of days of which there are `days` between them and today."""
    found = []
    for index in indices:
        named = INDEX.fullmatch(index)
        if named and date(*map(int, named.groups())) < today - timedelta(days=days):
            found.append(index)
    return sorted(found)


def expired(snapshots: list[str], keep: int) -> list[str]:
    """All but the last of ours."""
    ours = sorted(name for name in snapshots if name.startswith(SNAPSHOT))
    return ours[: max(0, len(ours) - keep)]


def retain(cluster: Cluster, today: date, days: int, check: bool) -> list[str]:
    there = cluster.ask("GET", f"/_resolve/index/{INDICES}")["indices"]
    gone = over([index["name"] for index in there], today, days)
    for index in gone:
        if not check:
            cluster.ask("DELETE", f"/{quote(index)}?ignore_unavailable=true")
    return [f"{index} {'would be ' if check else ''}removed" for index in gone]


def snapshot(cluster: Cluster, today: date, repository: str, keep: int, check: bool) -> list[str]:
    path, name = f"/_snapshot/{quote(repository)}", f"{SNAPSHOT}{today:%Y.%m.%d}"
    there = {found["snapshot"]: found for found in cluster.ask("GET", f"{path}/*")["snapshots"]}
    said = []
    if name not in there:
        said.append(f"{name} {'would be ' if check else ''}taken")
        if not check:
            chosen = {"indices": ALIAS, "ignore_unavailable": True, "include_global_state": False}
            cluster.ask("PUT", f"{path}/{name}", chosen)
    if not check:
        require_success(cluster, path, name)
    for old in expired([*there, *([] if name in there else [name])], keep):
        if not check:
            cluster.ask("DELETE", f"{path}/{quote(old)}")
        said.append(f"{old} {'would be ' if check else ''}removed")
    return said


def require_success(cluster: Cluster, path: str, name: str) -> None:
    while True:
        (found,) = cluster.ask("GET", f"{path}/{name}")["snapshots"]
        if found["state"] != "IN_PROGRESS":
            break
        time.sleep(POLL_SECONDS)
    if found["state"] != "SUCCESS":
        raise SystemExit(f"The snapshot {name} is {found['state']}: {json.dumps(found['failures'])}")


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
    snapshots.add_argument("--keep", type=int, required=True, help="how many snapshots stay")
    given = parser.parse_args()
    cluster = Cluster(given.url, given.authority, given.user, password())
    today = datetime.now(UTC).date()
    if given.job == "retention":
        said = retain(cluster, today, given.days, given.check)
    else:
        said = snapshot(cluster, today, given.repository, given.keep, given.check)
    print("\n".join(said) or "nothing to do")


if __name__ == "__main__":
    main()
