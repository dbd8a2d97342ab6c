# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This util is PRIVATE to the collection: it may change or go without notice.

"""A replay from its plan to the last event: what is to be sent, how far that is, and the sending."""

from __future__ import annotations

import hashlib
import json
import time
import typing as t
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from threading import Lock
from uuid import uuid4

from ansible_collections.simple_analytics.pipeline.plugins.module_utils._archive import Event, NoEventError, Selection
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._aws import calling
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._errors import PipelineError
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._ledger import HOUR, Hours
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._ledger_stores import Bucket
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._moments import age
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._pace import Pace
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._replay_targets import (
    BATCH,
    BATCH_BYTES,
    Sent,
    Target,
)

with suppress(ImportError):  # AnsibleAWSModule says what is missing
    from botocore.exceptions import ClientError

# Objects read at once. Each holds one batch of events in memory, and its object in a file.
READERS = 4
# From one save to the next, or so many times what the last one took: of a year's objects it takes its time.
SAVE_SECONDS = 5.0
SAVE_SHARE = 20
# How many refused events are named; all are counted.
LISTED = 100
# What S3 answers when the object is no longer as it was:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
OVERTAKEN = ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey")
LATEST = datetime(9999, 1, 1, tzinfo=UTC)  # an hour after the last second there is none
MANIFESTS, EVENTS = "replays/", "events/"


def question(selection: Selection, target: str) -> dict[str, t.Any]:
    """What a replay is asked; one that is gone on with must be asked the same."""
    since, until = selection.since.isoformat(), selection.until.isoformat()
    return {"from": since, "until": until, "match": dict(selection.match), "target": target}


def replay_name(selection: Selection, target: str) -> str:
    """The same for the same question."""
    digest = hashlib.sha256(json.dumps(question(selection, target), sort_keys=True).encode()).hexdigest()[:8]
    return f"{selection.since:%Y%m%dT%H%M%SZ}-{selection.until:%Y%m%dT%H%M%SZ}-{target}-{digest}"


def require_question(name: str, before: dict[str, t.Any], now: dict[str, t.Any]) -> None:
    """Of one name there is one replay."""
    others = [f"{key} {before[key]!r} and not {now[key]!r}" for key in now if before[key] != now[key]]
    if others:
        raise PipelineError(f"The replay {name!r} was asked for {', '.join(others)}: give this one another name.")


def plan(bucket: Bucket, selection: Selection) -> dict[str, int]:
    """The archive's objects of these hours, by key, each with its bytes."""
    last = min(selection.until, LATEST) + timedelta(hours=1, microseconds=-1)
    hours = Hours(f"{selection.since:{HOUR}}", f"{last:{HOUR}}")
    return {found.key: found.size for found in bucket.records(EVENTS, hours)}


@dataclass
class Reached:
    """How far an object is. Its lines are counted from its beginning, chosen or not."""

    lines: int = 0
    events: int = 0
    older: int = 0
    refused: int = 0


@dataclass
class Progress:
    """How far a replay is."""

    asked: dict[str, t.Any]
    # Bytes of each object, by key, which is in one of both: years of them are to be written again and again.
    left: dict[str, int]
    finished: dict[str, int] = field(default_factory=dict)
    # Objects that are under way, and finished ones that are not whole, or of which events were refused.
    reached: dict[str, Reached] = field(default_factory=dict)
    events: int = 0
    older: int = 0
    reasons: dict[str, str] = field(default_factory=dict)  # by id
    unreadable: list[str] = field(default_factory=list)
    seconds: float = 0.0
    run: str = ""  # who works on it, so that no two runs write the same, and the manifest's tag tells them apart

    @property
    def done(self) -> bool:
        return not self.left

    @property
    def refused(self) -> int:
        return sum(reached.refused for reached in self.reached.values())

    @property
    def summary(self) -> str:
        """One line for people."""
        size, rest = sum(self.finished.values()), sum(self.left.values())
        said = f"{len(self.finished)} of {len(self.finished) + len(self.left)} objects, {self.events} events"
        if self.older:
            said += f" ({self.older} of them the index has newer)"
        if self.seconds >= 1:
            said += f", {self.events / self.seconds:.0f} a second"
        if size and not self.done:
            said += f", {age(timedelta(seconds=self.seconds * rest / size))} left"
        return said

    def begin(self, objects: dict[str, int]) -> None:
        """Have these to do, but for those that are done with. What was wrong with the others may be mended since."""
        for key, reached in self.reached.items():
            del self.finished[key]
            self.events -= reached.events
            self.older -= reached.older
        self.reached, self.reasons, self.unreadable = {}, {}, []
        self.left = {key: size for key, size in objects.items() if key not in self.finished}

    def add(self, key: str, lines: int, events: int, sent: Sent) -> None:
        """So much more of an object is done with."""
        reached = self.reached.setdefault(key, Reached())
        reached.lines += lines
        reached.events += events
        reached.older += sent.older
        reached.refused += len(sent.refused)
        self.events += events
        self.older += sent.older
        self.reasons |= dict(sent.refused[: LISTED - len(self.reasons)])

    def finish(self, key: str, whole: bool = True) -> None:
        """Nothing of this object is left."""
        self.finished[key] = self.left.pop(key)
        reached = self.reached.pop(key, Reached())
        if reached.refused or not whole:
            self.reached[key] = reached

    def text(self) -> str:
        """All of it, as the manifest has it."""
        return json.dumps(self, default=vars)

    @classmethod
    def of(cls, text: str | bytes) -> Progress:
        """What was written so."""
        found = json.loads(text)
        reached = {key: Reached(**counts) for key, counts in found.pop("reached").items()}
        return cls(**found, reached=reached)


class Manifest:
    """The progress as an object beside the archive, so that a replay outlives whatever runs it."""

    def __init__(self, s3: t.Any, bucket: str, name: str) -> None:  # noqa: ANN401 - boto3 makes its clients' types at run time
        self._s3, self._bucket, self._key = s3, bucket, f"{MANIFESTS}{name}.json"
        self._tag: str | None = None  # of what was read or written last
        self.path = f"s3://{bucket}/{self._key}"

    def load(self) -> Progress | None:
        """What an earlier run has left."""
        with calling(f"read {self.path}"):
            self._tag, text = self._read()
        try:
            return Progress.of(text) if text is not None else None
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise PipelineError(f"{self.path} is no manifest of a replay ({error!r}).") from error

    def save(self, text: str) -> None:
        """Keep this in place of what was read or written last, but never in place of what another run wrote since."""
        body, condition = text.encode(), {"IfMatch": self._tag} if self._tag else {"IfNoneMatch": "*"}
        with calling(f"write {self.path}"):
            try:
                written = self._s3.put_object(Bucket=self._bucket, Key=self._key, Body=body, **condition)
            except ClientError as error:
                if error.response["Error"]["Code"] not in OVERTAKEN:
                    raise
                # A call whose answer was lost is made again by botocore, and then finds what it wrote itself.
                tag, there = self._read()
                if there != body:
                    raise PipelineError(
                        f"Failed to write {self.path}: another run of this replay has written it since, so this one"
                        " ends. Follow that one, or give the same command again once it has ended."
                    ) from error
                self._tag = tag
            else:
                self._tag = written["ETag"]

    def _read(self) -> tuple[str | None, bytes | None]:
        """Its tag and its text, where there is one."""
        found = self._s3.list_objects_v2(Bucket=self._bucket, Prefix=self._key)
        if not any(each["Key"] == self._key for each in found.get("Contents", [])):
            return None, None
        answer = self._s3.get_object(Bucket=self._bucket, Key=self._key)
        with closing(answer["Body"]) as body:
            return answer["ETag"], body.read()


def forget(text: str) -> None:
    """Keep nothing of it, as in a check."""


class Replay:
    """Sends what is chosen of each object, several objects at once."""

    def __init__(
        self,
        name: str,
        selection: Selection,
        bucket: Bucket,
        target: Target,
        pace: Pace,
        save: t.Callable[[str], None] = forget,
    ) -> None:
        self._name, self._selection, self._bucket, self._target = name, selection, bucket, target
        self._pace, self._keep = pace, save
        self._most = pace.at_once(BATCH, BATCH_BYTES)
        self._lock = Lock()

    def work(self, progress: Progress, seconds: float = float("inf")) -> None:
        """Go on until everything is sent, or for about so many seconds."""
        self._progress, self._before, self._started = progress, progress.seconds, time.monotonic()
        self._deadline = self._started + seconds
        # Of an object that an earlier call began, the line that is no event may lie behind.
        self._bucket.unreadable.update(progress.unreadable)
        progress.run = uuid4().hex
        # An earlier run that outlives its Ansible cannot save any more after this, and ends.
        self._save()
        # Each goes to the reader that draws it, which a list's iterator lets one thread do at a time.
        keys = iter(sorted(progress.left))
        try:
            with ThreadPoolExecutor(READERS) as pool:
                try:
                    self._follow([pool.submit(self._read, keys) for _reader in range(READERS)])
                finally:
                    self._deadline = 0.0
        finally:
            self._save()

    def _follow(self, readers: list[Future[None]]) -> None:
        """Save from time to time until they end; the first failure ends it."""
        pause = SAVE_SECONDS
        while True:
            ended, working = wait(readers, pause, FIRST_EXCEPTION)
            for reader in ended:
                reader.result()
            if not working:
                return
            pause = max(SAVE_SECONDS, SAVE_SHARE * self._save())

    def _read(self, keys: t.Iterator[str]) -> None:
        for key in keys:
            if time.monotonic() > self._deadline:
                return
            self._object(key)

    def _object(self, key: str) -> None:
        reached = self._progress.reached.get(key, Reached())
        with closing(self._bucket.lines(key)) as lines:
            for count, events in self._batches(key, islice(lines, reached.lines, None)):
                if not self._send(key, count, events):
                    return
        with self._lock:
            self._progress.finish(key, whole=not self._bucket.is_unreadable(key))

    def _batches(self, key: str, lines: t.Iterator[str]) -> t.Iterator[tuple[int, list[Event]]]:
        """What is sent together, each with the number of lines that hold it."""
        most_lines, most_bytes = self._most
        count, size, events = 0, 0, list[Event]()
        for line in lines:
            count += 1
            if event := self._chosen(key, line):
                events.append(event)
                size += len(event.text)
            if count >= most_lines or size >= most_bytes:
                yield count, events
                count, size, events = 0, 0, []
        if count:
            yield count, events

    def _chosen(self, key: str, line: str) -> Event | None:
        try:
            return self._selection.event(line, self._name)
        except NoEventError:
            self._bucket.broken(key)
            return None

    def _send(self, key: str, lines: int, events: list[Event]) -> bool:
        """Whether there was time for them; those that are not due yet are left to the next run."""
        if not self._pace.wait(len(events), sum(len(event.text) for event in events), self._deadline):
            return False
        sent = self._target.send(events) if events else Sent()
        with self._lock:
            self._progress.add(key, lines, len(events), sent)
        return True

    def _save(self) -> float:
        """How many seconds it took."""
        began = time.monotonic()
        with self._lock:
            self._progress.seconds = self._before + began - self._started
            self._progress.unreadable = sorted(self._bucket.unreadable)
            text = self._progress.text()
        self._keep(text)  # while the readers go on
        return time.monotonic() - began
