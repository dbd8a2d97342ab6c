# SPDX-License-Identifier: GPL-3.0-or-later
"""A pipeline's dead letter queue: one SQLite file in the pipeline's folder below `path.dead_letter_queue`."""

from __future__ import annotations

import logging
import sqlite3
import threading
from pathlib import Path
from typing import NamedTuple

from .event import Event, Timestamp

SCHEMA = """
pragma journal_mode = wal;
pragma synchronous = normal;
create table if not exists letters (
  number integer primary key autoincrement,
  entry_time text, plugin_type text, plugin_id text, reason text, event text, size integer
);
create index if not exists sizes on letters (size);
create table if not exists reader (one integer primary key, number integer);
"""

log = logging.getLogger("logstash.deadletterqueue")


class Letter(NamedTuple):
    number: int
    entry_time: str
    plugin_type: str
    plugin_id: str
    reason: str
    event: str


class DeadLetterQueue:
    def __init__(self, directory: Path, max_bytes: int = 1024**3, storage_policy: str = "drop_newer") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.max_bytes = max_bytes
        self.storage_policy = storage_policy
        self.dropped_events = 0
        self.last_error = "no errors"
        self.lock = threading.Lock()
        self.database = sqlite3.connect(
            directory / "letters.sqlite", timeout=60, check_same_thread=False, isolation_level=None
        )
        self.database.executescript(SCHEMA)

    def write(self, event: Event, plugin_type: str, plugin_id: str, reason: str) -> None:
        if "dead_letter_queue" in event.metadata:
            log.warning("Event previously submitted to dead letter queue. Skipping...")
            return
        letter = (str(Timestamp()), plugin_type, plugin_id, reason, event.dump())
        size = sum(len(text.encode()) for text in letter)
        with self.lock:
            if self._make_room(size):
                self.database.execute(
                    "insert into letters (entry_time, plugin_type, plugin_id, reason, event, size)"
                    " values (?, ?, ?, ?, ?, ?)",
                    (*letter, size),
                )

    def _make_room(self, size: int) -> bool:
        while self.size() + size > self.max_bytes:
            self.dropped_events += 1
            if self.storage_policy == "drop_newer" or not self._drop_oldest():
                self.last_error = (
                    f"Cannot write event to DLQ(path: {self.directory}): reached maxQueueSize of {self.max_bytes}"
                )
                log.error(self.last_error)
                return False
        return True

    def _drop_oldest(self) -> int:
        return self.database.execute("delete from letters where number = (select min(number) from letters)").rowcount

    def size(self) -> int:
        return int(self.database.execute("select coalesce(sum(size), 0) from letters").fetchone()[0])

    def position(self) -> int:
        """The number of the last letter that a reader committed."""
        return int(self.database.execute("select coalesce(max(number), 0) from reader").fetchone()[0])

    def read(self, after: int, limit: int) -> list[Letter]:
        rows = self.database.execute(
            "select number, entry_time, plugin_type, plugin_id, reason, event from letters"
            " where number > ? order by number limit ?",
            (after, limit),
        )
        return [Letter(*row) for row in rows]

    def commit(self, number: int) -> None:
        self.database.execute("insert or replace into reader values (1, ?)", (number,))

    def clean(self, number: int) -> None:
        self.database.execute("delete from letters where number <= ?", (number,))

    def close(self) -> None:
        self.database.close()
