# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This util is PRIVATE to the collection: it may change or go without notice.

"""The manifest of a rewind: what it means to write, on disk before the first write, and then what it wrote."""

from __future__ import annotations

import json
import os
import typing as t
from dataclasses import asdict, dataclass, field
from datetime import datetime
from threading import Lock

from ansible_collections.simple_analytics.pipeline.plugins.module_utils._errors import PipelineError
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._leases import Lease, Position
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._rewind import Move
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._stream import Record, Shard


@dataclass
class Manifest:
    """Lines of JSON: the first holds the plan, others what came to it later, or what became of a shard."""

    path: str
    id: str
    application: str
    stream: str
    moves: list[Move]
    settled: bool = True  # whether no shard can have come to it that a reshard made meanwhile
    written: set[str] = field(default_factory=set)
    put_back: bool = False  # begun at least
    _read_to: int = field(default=0, repr=False, compare=False)
    _lock: Lock = field(default_factory=Lock, repr=False, compare=False)

    @classmethod
    def load(cls, path: str, application: str, stream: str) -> Manifest:
        """Read that of an earlier rewind of this application on this stream."""
        manifest = cls._read(path)
        if (manifest.application, manifest.stream) != (application, stream):
            raise PipelineError(f"The manifest {path} is of {manifest.application!r} on stream {manifest.stream!r}.")
        return manifest

    @classmethod
    def _read(cls, path: str) -> Manifest:
        try:
            with open(path, encoding="utf-8") as file:
                first, *others = file.read().split("\n")
            plan, entries = json.loads(first), [_entry(line) for line in others]
            later = [found for entry in entries for found in entry.get("moves", [])]
            moves = [_move(found) for found in (*plan["moves"], *later)]
            written = {entry["written"] for entry in entries if "written" in entry}
            settled = plan["settled"] or any("settled" in entry for entry in entries)
            put_back = any("put_back" in entry for entry in entries)
            return cls(path, plan["id"], plan["application"], plan["stream"], moves, settled, written, put_back)
        except OSError as error:
            raise PipelineError(f"Failed to read the manifest {path}: {error.strerror}.") from error
        except (KeyError, TypeError, ValueError) as error:
            raise PipelineError(f"Failed to read the manifest {path}: it is none ({error!r}).") from error

    def rest(self) -> list[Move]:
        """What is not known to be written."""
        return [move for move in self.moves if move.shard.id not in self.written]

    @property
    def restored_id(self) -> str:
        """What the rows say that were put back."""
        return f"{self.id} restored"

    def create(self) -> None:
        """Write the plan to a new file."""
        plan = {
            "id": self.id,
            "application": self.application,
            "stream": self.stream,
            "settled": self.settled,
            "moves": [_entry_of(move) for move in self.moves],
        }
        self._append(plan, "x")

    def extend(self, moves: list[Move]) -> None:
        """Plan more of the same rewind."""
        self._append({"moves": [_entry_of(move) for move in moves]}, "a")
        self.moves += moves

    def settle(self) -> None:
        """Nothing more comes to it."""
        self.settled = True
        self._append({"settled": True}, "a")

    def require_not_put_back(self) -> None:
        """A call that outlives its Ansible ends where somebody has put its rewind back meanwhile."""
        with self._lock:
            try:
                with open(self.path, encoding="utf-8") as file:
                    file.seek(self._read_to)
                    entries = [_entry(line) for line in file.read().split("\n")]
                    self._read_to = file.tell()
            except OSError as error:
                raise PipelineError(f"Failed to read the manifest {self.path}: {error.strerror}.") from error
        self.put_back = self.put_back or any("put_back" in entry for entry in entries)
        if self.put_back:
            raise PipelineError(f"The rewind of {self.path} was put back, so it cannot go on: begin a new one.")

    def note_put_back(self) -> None:
        """Say that its leases go to their former positions."""
        self.put_back = True
        self._append({"put_back": True}, "a")

    def note(self, shard: str) -> None:
        """Say that a shard's lease is written."""
        with self._lock:
            self.written.add(shard)
            self._append({"written": shard}, "a")

    def _append(self, entry: dict[str, t.Any], mode: str) -> None:
        try:
            with open(self.path, mode, encoding="utf-8") as file:
                # The end of the line comes first: one that a kill has broken off must not swallow this one.
                file.write(("" if mode == "x" else "\n") + json.dumps(entry))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise PipelineError(f"Failed to write the manifest {self.path}: {error.strerror}.") from error


def _entry(line: str) -> dict[str, t.Any]:
    try:
        entry = json.loads(line)
    except ValueError:
        return {}  # broken off by a kill: the row itself says which rewind wrote it
    return entry if isinstance(entry, dict) else {}


def _entry_of(move: Move) -> dict[str, t.Any]:
    return {
        "shard": asdict(move.shard),
        "former": move.former and move.former.row,
        "target": move.target,
        "record": move.record and [move.record.sequence_number, move.record.arrival.isoformat()],
        "generation": move.generation,
    }


def _move(found: dict[str, t.Any]) -> Move:
    record, target = found["record"], Position(*found["target"])
    parts = {name: tuple(found["shard"][name]) for name in ("parents", "hash_range")}
    shard = Shard(**{**found["shard"], **parts})
    former = Lease.of(found["former"]) if found["former"] else None
    for position in (target, *([former.position] if former else [])):
        position.order  # noqa: B018 - a checkpoint that is neither a name nor a number has none
    if target.is_number and not shard.may_hold(target.checkpoint):
        raise ValueError(f"{shard.id} holds no record {target.checkpoint}")
    return Move(
        shard,
        former,
        target,
        Record(record[0], datetime.fromisoformat(record[1])) if record else None,
        found["generation"],
    )
