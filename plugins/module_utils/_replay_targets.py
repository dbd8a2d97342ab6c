# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This util is PRIVATE to the collection: it may change or go without notice.

"""Where a replay sends events: the stream, for all its consumers, or the index alone."""

from __future__ import annotations

import time
import typing as t
from threading import Lock

from ansible_collections.simple_analytics.pipeline.plugins.module_utils._archive import Event
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._aws import CLIENT_CONFIG, calling
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._elasticsearch import Client, ElasticsearchError
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._errors import PipelineError
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._waiting import ATTEMPTS, pauses

# Kinesis takes 500 records and 5 MiB a call, and 1 MiB a record; the partition keys count, too:
# https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
BATCH = 500
BATCH_BYTES = 3 * 1024 * 1024  # with the event that reaches it
RECORD_BYTES, PARTITION_KEY_LETTERS = 1024 * 1024, 256
# What is sent is made here, and to check the shape of each record is a third of what a call costs.
UNCHECKED = {**CLIENT_CONFIG, "parameter_validation": False}
# Of a document that a cluster which has too much to do, or loses a node, does not take now.
BUSY = (429, 503)


# Of an id: https://www.elastic.co/docs/reference/elasticsearch/mapping-reference/mapping-id-field
ID_BYTES = 512


class Sent(t.NamedTuple):
    """What became of a batch."""

    older: int = 0  # the index has a newer version
    refused: tuple[tuple[str, str], ...] = ()  # ids, each with the reason


class Target(t.Protocol):
    def send(self, events: list[Event]) -> Sent:
        """Return when each event is taken or refused for good. They are no more than one call takes."""


class NoTarget:
    """For a check, which only counts."""

    def __init__(self) -> None:
        self.events = self.size = 0
        self._lock = Lock()

    def send(self, events: list[Event]) -> Sent:
        size = sum(len(event.text) for event in events)
        with self._lock:
            self.events += len(events)
            self.size += size
        return Sent()


class StreamTarget:
    """Every consumer of the stream gets the events again."""

    def __init__(self, kinesis: t.Any, name: str) -> None:  # noqa: ANN401 - boto3 makes its clients' types at run time
        self._kinesis, self._name = kinesis, name

    def send(self, events: list[Event]) -> Sent:
        # One of these has Kinesis refuse the whole call.
        judged = [(event, _unfit(event)) for event in events]
        refused = tuple((event.id, why) for event, why in judged if why)
        entries = [{"Data": event.text, "PartitionKey": event.id} for event, why in judged if not why]
        if not entries:
            return Sent(refused=refused)
        reason = ""
        for pause in pauses():
            with calling(f"write to stream {self._name!r}", f"there is no stream {self._name!r}."):
                answer = self._kinesis.put_records(StreamName=self._name, Records=entries)
            failed = [
                (entry, record["ErrorCode"])
                for entry, record in zip(entries, answer["Records"], strict=True)
                if "ErrorCode" in record
            ]
            if not failed:
                return Sent(refused=refused)
            entries, reason = [entry for entry, _code in failed], failed[0][1]
            time.sleep(pause)
        raise PipelineError(
            f"Failed to write to stream {self._name!r}: {len(entries)} records were refused {ATTEMPTS} times"
            f" ({reason}). A lower rate, or more shards, would let them in."
        )


class IndexTarget:
    """The daily indices get the events under the same ids and versions as by way of the stream."""

    def __init__(self, client: Client, index: str) -> None:
        self._client, self._index = client, index

    def send(self, events: list[Event]) -> Sent:
        # Of several versions in one batch the index would keep the newest.
        waiting = {event.id: event for event in sorted(events, key=lambda event: event.version)}
        # One of these has the cluster refuse the whole call.
        long = [name for name in waiting if len(name.encode()) > ID_BYTES]
        older, refused = 0, [(name, f"its id has more than {ID_BYTES} bytes") for name in long]
        waiting = {name: event for name, event in waiting.items() if name not in long}
        if not waiting:
            return Sent(older, tuple(refused))
        reason = ""
        for pause in pauses():
            try:
                answer = self._client.bulk([line for event in waiting.values() for line in self._lines(event)])
            except ElasticsearchError as error:
                if not error.passing:
                    raise
                reason = str(error)
                time.sleep(pause)
                continue
            again = {}
            for item in answer["items"]:
                (result,) = item.values()
                if result["status"] == 409:
                    older += 1
                elif result["status"] in BUSY or _is_blocked(result):
                    again[result["_id"]], reason = waiting[result["_id"]], _reason(result)
                elif result["status"] >= 300:
                    refused.append((result["_id"], _reason(result)))
            if not again:
                return Sent(older, tuple(refused))
            waiting = again
            time.sleep(pause)
        raise PipelineError(
            f"Failed to write to {self._index}-*: {len(waiting)} events were turned away {ATTEMPTS} times ({reason})."
        )

    def _lines(self, event: Event) -> tuple[dict[str, t.Any], bytes]:
        place = {"_index": f"{self._index}-{event.moment:%Y.%m.%d}", "_id": event.id}
        return {"index": {**place, "version": event.version, "version_type": "external_gte"}}, event.text


def _unfit(event: Event) -> str:
    """Why no stream takes it."""
    if len(event.id) > PARTITION_KEY_LETTERS:
        return f"its id has more than {PARTITION_KEY_LETTERS} letters"
    if len(event.text) + len(event.id.encode()) > RECORD_BYTES:
        return f"it has more than {RECORD_BYTES} bytes"
    return ""


def _is_blocked(result: dict[str, t.Any]) -> bool:
    """By a reindex, which ends."""
    return bool(result["status"] == 403 and result.get("error", {}).get("type") == "cluster_block_exception")


def _reason(result: dict[str, t.Any]) -> str:
    error = result.get("error", {})
    return f"{error.get('type', result['status'])}: {error.get('reason', '')}"
