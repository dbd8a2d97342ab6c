# SPDX-License-Identifier: GPL-3.0-or-later
"""The queue between a pipeline's inputs and its worker."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

from .event import Event


class QueueClosed(Exception):  # noqa: N818  # no error
    """Raised to an input that still pushes when its pipeline is over."""


class Queue:
    """Events in a SQLite database: on disk it outlives a kill, in memory it is small."""

    def __init__(self, path: Path | None, max_bytes: int, max_events: int | None) -> None:
        self._database = sqlite3.connect(path or ":memory:", check_same_thread=False)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._database.execute("CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY, event TEXT NOT NULL)")
        row = self._database.execute("SELECT count(*), coalesce(sum(length(event)), 0) FROM events").fetchone()
        self.events_count: int = row[0]
        self._bytes: int = row[1]
        self._max_bytes = max_bytes
        self._max_events = max_events
        self._batch = (0, 0, 0)
        self._closed = False
        self._changed = threading.Condition()

    def push(self, events: list[Event]) -> None:
        texts = [event.dump() for event in events]
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._has_room())
            if self._closed:
                raise QueueClosed
            self._database.executemany("INSERT INTO events (event) VALUES (?)", [(text,) for text in texts])
            self._database.commit()
            self._count(len(texts), sum(map(len, texts)))

    def _has_room(self) -> bool:
        return self._bytes < self._max_bytes and (self._max_events is None or self.events_count < self._max_events)

    def _count(self, events: int, length: int) -> None:
        self.events_count += events
        self._bytes += length
        self._changed.notify_all()

    def read(self, limit: int, delay: float) -> list[Event]:
        """The oldest events; it waits until there are enough, at most for the delay."""
        with self._changed:
            self._changed.wait_for(lambda: self.events_count >= limit, delay)
            rows = self._database.execute("SELECT id, event FROM events ORDER BY id LIMIT ?", (limit,)).fetchall()
        if rows:
            self._batch = (rows[-1][0], len(rows), sum(len(text) for _, text in rows))
        return [Event.load(text) for _, text in rows]

    def drop(self) -> None:
        """Drop what was read last."""
        last, events, length = self._batch
        with self._changed:
            self._database.execute("DELETE FROM events WHERE id <= ?", (last,))
            self._database.commit()
            self._count(-events, -length)

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            self._database.close()
