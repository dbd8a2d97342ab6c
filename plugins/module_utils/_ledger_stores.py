# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This util is PRIVATE to the collection: it may change or go without notice.

"""Reads the stores of the landscape into a ledger."""

from __future__ import annotations

import json
import re
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC
from functools import reduce
from itertools import chain, islice
from operator import getitem
from tempfile import SpooledTemporaryFile
from urllib.parse import quote

from ansible_collections.simple_analytics.pipeline.plugins.module_utils._cloudfront_log import (
    BrokenObjectError,
    classify,
    read_lines,
)
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._elasticsearch import Client, ElasticsearchError
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._errors import PipelineError
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._ledger import HOUR, Hours, Ledger
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._waiting import pauses

try:
    from boto3.s3.transfer import TransferConfig
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says what is missing

PROCESSED = "Processed/"
RECORD_HOUR = re.compile(r"/dt=(\d{4}-\d\d-\d\d)/hour=(\d\d)/")
READERS = 8
CHUNK = 5000
PAGE = 10000
SHARDS_MISSING = 503
IN_MEMORY = 16 * 1024 * 1024
T = t.TypeVar("T")


class S3Object(t.NamedTuple):
    key: str
    modified: str
    size: int


class Bucket:
    """Objects that break off are read as far as they go, and named in `unreadable`."""

    def __init__(self, s3: t.Any, name: str) -> None:  # noqa: ANN401
        self._s3, self._name = s3, name
        self._transfer = TransferConfig(use_threads=False)
        self.unreadable: set[str] = set()

    def objects(self, prefix: str) -> t.Iterator[S3Object]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._name, Prefix=prefix)
        try:
            for found in chain.from_iterable(page.get("Contents", []) for page in pages):
                yield S3Object(found["Key"], f"{found['LastModified'].astimezone(UTC):{HOUR}}", found["Size"])
        except (BotoCoreError, ClientError) as error:
            raise PipelineError(f"Failed to list s3://{self._name}/{prefix}: {error}") from error

    def records(self, prefix: str, hours: Hours) -> list[S3Object]:
        """Objects of the clean-events bucket that hold records of these hours."""
        days = [f"{prefix}dt={day}/" for day in hours.days()] or [prefix]
        objects = [found for day in days for found in self.objects(day)]
        return [found for found in objects if hours.includes(record_hour(found.key))]

    def lines(self, *keys: str) -> t.Iterator[str]:
        """The lines of the first of these objects that exists; none, which makes it one that cannot be read."""
        with SpooledTemporaryFile(IN_MEMORY) as file:
            self._download(file, keys)
            try:
                yield from read_lines(file)
            except BrokenObjectError:
                self.broken(keys[0])

    def broken(self, key: str) -> None:
        self.unreadable.add(f"{self._name}/{key}")

    def is_unreadable(self, key: str) -> bool:
        return f"{self._name}/{key}" in self.unreadable

    def _download(self, file: t.IO[bytes], keys: tuple[str, ...]) -> None:
        for key in keys:
            try:
                self._s3.download_fileobj(self._name, key, file, Config=self._transfer)
            except (BotoCoreError, ClientError) as error:
                if not _is_absent(error):
                    raise PipelineError(f"Failed to read s3://{self._name}/{key}: {error}") from error
            else:
                break
        else:
            self.broken(keys[0])  # it was listed a moment ago
        file.seek(0)


def read_delivered(ledger: Ledger, bucket: Bucket, prefix: str, pixel_path: re.Pattern[str], hours: Hours) -> int:
    """Returns how many objects still wait to be processed."""
    # In this order, so that what is moved meanwhile is listed twice rather than never.
    waiting = list(bucket.objects(prefix))
    processed = [found._replace(key=found.key.removeprefix(PROCESSED)) for found in bucket.objects(PROCESSED + prefix)]

    def read(found: S3Object) -> None:
        lines = classify(bucket.lines(found.key, PROCESSED + found.key), found.key, found.modified, pixel_path)
        for chunk in _chunks(line for line in lines if hours.includes(line.hour)):
            ledger.deliver(found.key, chunk)

    _each(read, {found.key: found for found in [*processed, *waiting]}.values())
    return len(waiting)


def read_ids(add: t.Callable[[t.Iterable[tuple[str, str]]], None], bucket: Bucket, prefix: str, hours: Hours) -> None:
    """Ids of archived or refused events."""

    def read(found: S3Object) -> None:
        hour = record_hour(found.key)
        for chunk in _chunks(_records(bucket, found.key, ("event", "id"))):
            add((event_id, hour) for (event_id,) in chunk)

    _each(read, bucket.records(prefix, hours))


def read_malformed(ledger: Ledger, bucket: Bucket, prefix: str, hours: Hours) -> None:
    # A line without any time lies under the hour in which it was processed, so there is no end.
    def read(found: S3Object) -> None:
        for chunk in _chunks(_records(bucket, found.key, ("log", "file", "path"), ("event", "hash"))):
            ledger.misform(chunk)

    _each(read, bucket.records(prefix, hours._replace(until="")))


def read_index(ledger: Ledger, client: Client, alias: str, hours: Hours) -> None:
    """Ids of the documents that a search finds; none when there is no such index."""
    bounds = {name: hour for name, hour in (("gte", hours.since), ("lt", hours.until)) if hour}
    search = {
        "size": PAGE,
        "sort": ["_doc"],
        "_source": False,
        "docvalue_fields": [{"field": "@timestamp", "format": "yyyy-MM-dd'T'HH"}],
        "query": {"range": {"@timestamp": {**bounds, "format": "yyyy-MM-dd'T'HH"}}},
    }
    # A point in time would need rights on the indices behind the alias, which readers do not have.
    path = f"/{quote(alias)}/_search?scroll=5m&allow_partial_search_results=false"
    try:
        answer = _search_in_full(client, path, search)
    except ElasticsearchError as error:
        if error.status == 404:
            return
        raise
    while hits := answer["hits"]["hits"]:
        ledger.index((hit["_id"], hit["fields"]["@timestamp"][0]) for hit in hits)
        answer = client.request("POST", "/_search/scroll", {"scroll": "5m", "scroll_id": answer["_scroll_id"]})
    client.request("DELETE", "/_search/scroll", {"scroll_id": answer["_scroll_id"]})


def _search_in_full(client: Client, path: str, search: dict[str, t.Any]) -> dict[str, t.Any]:
    """The answer of all shards. Those of an index that was made a moment ago are waited for."""
    for pause in pauses():
        try:
            answer: dict[str, t.Any] = client.request("POST", path, search)
        except ElasticsearchError as error:
            if error.status != SHARDS_MISSING:
                raise
            missing = error
        else:
            return answer
        time.sleep(pause)
    raise missing


def _is_absent(error: Exception) -> bool:
    return isinstance(error, ClientError) and error.response["ResponseMetadata"]["HTTPStatusCode"] == 404


def record_hour(key: str) -> str:
    match = RECORD_HOUR.search(key)
    return f"{match[1]}T{match[2]}" if match else ""


def _records(bucket: Bucket, key: str, *paths: tuple[str, ...]) -> t.Iterator[tuple[t.Any, ...]]:
    """The values at these paths of each record."""
    for line in bucket.lines(key):
        try:
            record = json.loads(line)
            yield tuple(reduce(getitem, path, record) for path in paths)
        except (ValueError, LookupError, TypeError):
            bucket.broken(key)


def _chunks(items: t.Iterable[T]) -> t.Iterator[list[T]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, CHUNK)):
        yield chunk


def _each(work: t.Callable[[S3Object], None], objects: t.Iterable[S3Object]) -> None:
    """Reads several objects at once; the first failure ends it."""
    with ThreadPoolExecutor(READERS) as pool:
        pending = [pool.submit(work, found) for found in objects]
        try:
            for reading in pending:
                reading.result()
        finally:
            pool.shutdown(cancel_futures=True)
