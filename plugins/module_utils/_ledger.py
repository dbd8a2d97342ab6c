# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This util is PRIVATE to the collection: it may change or go without notice.

"""What was delivered against what became of it, joined on disk so that memory does not grow with the hits."""

from __future__ import annotations

import sqlite3
import threading
import typing as t
from collections import Counter
from datetime import UTC, datetime, timedelta

from ansible_collections.simple_analytics.pipeline.plugins.module_utils._cloudfront_log import Line
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._errors import PipelineError

# In the order of the one-line form.
TERMS = ("delivered", "events", "repeated", "archived", "indexed", "undeliverable", "malformed", "filtered", "lost")
# How many of each difference are listed; all are counted.
LISTED = 1000
HOUR = "%Y-%m-%dT%H"

SCHEMA = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -65536;
CREATE TABLE delivered (hour TEXT, lines INTEGER);
CREATE TABLE filtered (hour TEXT, lines INTEGER);
CREATE TABLE hit (hour TEXT, id TEXT, key TEXT, line INTEGER, hash TEXT);
CREATE TABLE malformed (key TEXT, hash TEXT, records INTEGER, PRIMARY KEY (key, hash)) WITHOUT ROWID;
CREATE TABLE archived (id TEXT PRIMARY KEY, hour TEXT) WITHOUT ROWID;
CREATE TABLE indexed (id TEXT PRIMARY KEY, hour TEXT) WITHOUT ROWID;
CREATE TABLE refused (id TEXT PRIMARY KEY, hour TEXT) WITHOUT ROWID;
CREATE VIEW archived_hit AS
    SELECT hour, ROW_NUMBER() OVER (PARTITION BY id ORDER BY hour) > 1 AS is_repeated
    FROM hit WHERE id IN (SELECT id FROM archived);
CREATE VIEW other_hit AS
    SELECT hour, id, key, line, hash,
        ROW_NUMBER() OVER (PARTITION BY key, hash ORDER BY line) <= IFNULL(records, 0) AS is_malformed
    FROM hit LEFT JOIN malformed USING (key, hash) WHERE id IS NULL OR id NOT IN (SELECT id FROM archived);
CREATE VIEW undeliverable AS SELECT id, hour FROM refused WHERE id NOT IN (SELECT id FROM indexed);
"""

COUNTS = """
SELECT hour, 'delivered' AS term, SUM(lines) FROM delivered GROUP BY hour
UNION ALL SELECT hour, 'filtered', SUM(lines) FROM filtered GROUP BY hour
UNION ALL SELECT hour, IIF(is_repeated, 'repeated', 'events') AS term, COUNT(*) FROM archived_hit GROUP BY hour, term
UNION ALL SELECT hour, IIF(is_malformed, 'malformed', 'lost') AS term, COUNT(*) FROM other_hit GROUP BY hour, term
UNION ALL SELECT hour, 'archived', COUNT(*) FROM archived GROUP BY hour
UNION ALL SELECT hour, 'indexed', COUNT(*) FROM indexed GROUP BY hour
UNION ALL SELECT hour, 'undeliverable', COUNT(*) FROM undeliverable GROUP BY hour
"""

DIFFERENCES = {
    "lost": "SELECT hour, id, key, line, hash FROM other_hit WHERE NOT is_malformed",
    "not_delivered": "SELECT hour, id FROM archived WHERE id NOT IN (SELECT id FROM hit WHERE id IS NOT NULL)",
    "not_archived": "SELECT hour, id FROM indexed WHERE id NOT IN (SELECT id FROM archived)",
    "missing_in_index": """
        SELECT hour, id FROM archived
        WHERE id NOT IN (SELECT id FROM indexed) AND id NOT IN (SELECT id FROM undeliverable)""",
}


class Hours(t.NamedTuple):
    """A span of hours of event time; an empty end is no end."""

    since: str = ""
    until: str = ""

    def includes(self, hour: str) -> bool:
        return self.since <= hour and (not self.until or hour < self.until)

    def days(self) -> list[str]:
        """Its days; none when it has no beginning or no end."""
        if not self.since or not self.until:
            return []
        first, last = datetime.strptime(self.since, HOUR), datetime.strptime(self.until, HOUR) - timedelta(hours=1)
        return [f"{first + timedelta(days=day):%Y-%m-%d}" for day in range((last.date() - first.date()).days + 1)]


def parse_hour(text: str | None) -> str:
    """An option's hour as the ledger writes hours; '' when it is not given."""
    if not text:
        return ""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise PipelineError(f"Failed to read {text!r} as a time: write it as 2026-11-24 or 2026-11-24T18.") from error
    return f"{moment.astimezone(UTC) if moment.tzinfo else moment:{HOUR}}"


def settled_hours(now: datetime, open_hours: int, retention_days: int) -> Hours:
    """The hours that are held against the stores: neither expired nor so young that lines may still come."""
    newest = f"{now - timedelta(hours=open_hours):{HOUR}}" if open_hours else ""
    return Hours(f"{now - timedelta(days=retention_days):{HOUR}}", newest)


def state(hour: str, settled: Hours) -> str:
    if settled.includes(hour):
        return "settled"
    return "expired" if hour < settled.since else "open"


class Ledger:
    """Filled by several threads, then asked."""

    def __init__(self, path: str) -> None:
        self._lock = threading.Lock()
        self._database = sqlite3.connect(path, check_same_thread=False)
        self._database.executescript(SCHEMA)

    def close(self) -> None:
        self._database.close()

    def deliver(self, key: str, lines: t.Iterable[Line]) -> None:
        hits, delivered, filtered = [], Counter[str](), Counter[str]()
        for line in lines:
            delivered[line.hour] += 1
            if line.kind == "filtered":
                filtered[line.hour] += 1
            else:
                hits.append((line.hour, line.id, key, line.number, line.hash))
        self._insert("delivered VALUES (?, ?)", delivered.items())
        self._insert("filtered VALUES (?, ?)", filtered.items())
        self._insert("hit VALUES (?, ?, ?, ?, ?)", hits)

    def archive(self, ids: t.Iterable[tuple[str, str]]) -> None:
        self._insert("archived VALUES (?, ?) ON CONFLICT DO NOTHING", ids)

    def index(self, ids: t.Iterable[tuple[str, str]]) -> None:
        self._insert("indexed VALUES (?, ?) ON CONFLICT DO NOTHING", ids)

    def refuse(self, ids: t.Iterable[tuple[str, str]]) -> None:
        self._insert("refused VALUES (?, ?) ON CONFLICT DO NOTHING", ids)

    def misform(self, lines: t.Iterable[tuple[str, str]]) -> None:
        self._insert("malformed VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET records = records + 1", lines)

    def _insert(self, into: str, rows: t.Iterable[tuple[t.Any, ...]]) -> None:
        with self._lock:
            self._database.executemany(f"INSERT INTO {into}", rows)

    def hours(self) -> dict[str, dict[str, int]]:
        """Every term of every hour, each counted."""
        hours: dict[str, dict[str, int]] = {}
        for hour, term, count in self._database.execute(COUNTS):
            hours.setdefault(hour, dict.fromkeys(TERMS, 0))[term] = count
        return dict(sorted(hours.items()))

    def differences(self, settled: Hours) -> dict[str, list[dict[str, t.Any]]]:
        return {name: self._difference(query, settled) for name, query in DIFFERENCES.items()}

    def _difference(self, query: str, settled: Hours) -> list[dict[str, t.Any]]:
        within = "WHERE hour >= ? AND (? = '' OR hour < ?) ORDER BY hour LIMIT ?"
        limits = (settled.since, settled.until, settled.until, LISTED)
        rows = self._database.execute(f"SELECT * FROM ({query}) {within}", limits)  # noqa: S608
        return [dict(zip((column[0] for column in rows.description), row, strict=True)) for row in rows]


def balance(ledger: Ledger, settled: Hours) -> dict[str, t.Any]:
    """What the ledger says: its terms, its differences, and whether it closes."""
    hours, differences = ledger.hours(), ledger.differences(settled)
    totals = {term: sum(terms[term] for hour, terms in hours.items() if settled.includes(hour)) for term in TERMS}
    accounted = sum(totals[term] for term in ("filtered", "events", "repeated", "malformed", "lost"))
    return {
        "closed": not any(differences.values()) and totals["delivered"] == accounted,
        "summary": summary(totals),
        "table": table(hours, settled),
        "totals": totals,
        "hours": [{"hour": hour, "state": state(hour, settled), **terms} for hour, terms in hours.items()],
        **differences,
    }


def summary(totals: dict[str, int]) -> str:
    """The ledger's one-line form."""
    return "ledger: " + " ".join(f"{term}={totals[term]}" for term in TERMS)


def table(hours: dict[str, dict[str, int]], settled: Hours) -> list[str]:
    rows = [["hour (UTC)", "state", *TERMS]]
    rows += [[hour, state(hour, settled), *(str(terms[term]) for term in TERMS)] for hour, terms in hours.items()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
