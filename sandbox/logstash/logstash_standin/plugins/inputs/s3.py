# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of the objects below a prefix; an object that was read is moved away."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import shutil
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

from botocore.exceptions import ClientError

from ...aws import OPTIONS, s3_client
from ...event import Event
from ..base import ExecutionContext, Input, Option

CUTOFF = dt.timedelta(seconds=3)
EPOCH = dt.datetime.fromtimestamp(0, dt.UTC)
SINCEDB_FORM = "%Y-%m-%d %H:%M:%S %Z"
HEADERS = {"#Version: ": "version", "#Fields: ": "fields"}
BATCH = 500


class S3Input(Input):
    options: ClassVar[dict[str, Option]] = {
        **OPTIONS,
        "bucket": Option(required=True),
        "prefix": Option(default=""),
        "backup_to_bucket": Option(),
        "backup_add_prefix": Option(default=""),
        "delete": Option("boolean", default=False),
        "interval": Option("number", default=60),
        "watch_for_new_files": Option("boolean", default=True),
        "sincedb_path": Option(required=True),
        "temporary_directory": Option(required=True),
    }

    def __init__(self, context: ExecutionContext, settings: dict[str, Any]) -> None:
        super().__init__(context, settings)
        self.s3 = s3_client(settings)

    def register(self) -> None:
        if self.settings["backup_to_bucket"]:
            self.s3.head_bucket(Bucket=self.settings["backup_to_bucket"])
        Path(self.settings["temporary_directory"]).mkdir(parents=True, exist_ok=True)

    def run(self, push: Callable[[list[Event]], None], stop: threading.Event) -> None:
        while not stop.is_set():
            for listed in self._listed():
                if stop.is_set():
                    return
                self._process(listed, push, stop)
            if not self.settings["watch_for_new_files"]:
                return
            stop.wait(self.settings["interval"])

    def _listed(self) -> list[dict[str, Any]]:
        """What there is to read, oldest first."""
        cutoff = dt.datetime.now(dt.UTC) - CUTOFF
        since = self._since()
        pages = self.s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.settings["bucket"], Prefix=self.settings["prefix"]
        )
        try:
            listed = [item for page in pages for item in page.get("Contents", [])]
        except ClientError as error:
            self.log.error("Unable to list objects in bucket %s: %s", self.settings["bucket"], error)
            return []
        waiting = [
            item
            for item in listed
            if item["Size"] and not self._ignored(item["Key"])
            if since < second(item) and item["LastModified"] <= cutoff
        ]
        return sorted(waiting, key=lambda item: item["LastModified"])

    def _ignored(self, key: str) -> bool:
        added = self.settings["backup_add_prefix"]
        moved = added and self.settings["backup_to_bucket"] == self.settings["bucket"] and key.startswith(added)
        return bool(moved) or key == self.settings["prefix"] or key.endswith("/")

    def _process(self, listed: dict[str, Any], push: Callable[[list[Event]], None], stop: threading.Event) -> None:
        where = {"Bucket": self.settings["bucket"], "Key": listed["Key"]}
        path = Path(self.settings["temporary_directory"], listed["Key"].rsplit("/", 1)[-1])
        try:
            with path.open("wb") as file:
                shutil.copyfileobj(self.s3.get_object(**where)["Body"], file)
        except ClientError as error:
            self.log.warning("Unable to download remote file %s: %s", listed["Key"], error)
            return
        if not self._read(path, listed["Key"], push, stop):
            return
        if self.s3.head_object(**where)["LastModified"] != second(listed):
            self.log.info("%s was updated meanwhile and is read in the next cycle", listed["Key"])
            return
        if self.settings["backup_to_bucket"]:
            self.s3.copy_object(
                CopySource=where,
                Bucket=self.settings["backup_to_bucket"],
                Key=self.settings["backup_add_prefix"] + listed["Key"],
            )
        if self.settings["delete"]:
            self.s3.delete_object(**where)
        path.unlink()
        Path(self.settings["sincedb_path"]).write_text(listed["LastModified"].strftime(SINCEDB_FORM))

    def _read(self, path: Path, key: str, push: Callable[[list[Event]], None], stop: threading.Event) -> bool:
        """Push the object's events; false when a stop came first, so that the object is read again."""
        headers: dict[str, str] = {}
        batch: list[Event] = []
        for event in self._events(path):
            if stop.is_set():
                self.log.warning(
                    "Logstash S3 input, stop reading in the middle of the file,"
                    " we will read it again when logstash is started"
                )
                return False
            header = _header(event)
            if header:
                headers |= header
                continue
            event.set("[@metadata][s3]", {"key": key} | ({"cloudfront": dict(headers)} if headers else {}))
            batch.append(event)
            if len(batch) == BATCH:
                push(batch)
                batch = []
        push(batch)
        return True

    def _events(self, path: Path) -> Iterator[Event]:
        codec = self.settings["codec"]
        try:
            for line in gzip_lines(path) if path.suffix in {".gz", ".gzip"} else plain_lines(path):
                yield from codec.decode(line)
        except (EOFError, OSError, zlib.error) as error:
            self.log.error("Failed to read file, processing skipped: %s", in_javas_words(error))
        yield from codec.flush()

    def _since(self) -> dt.datetime:
        path = Path(self.settings["sincedb_path"])
        text = path.read_text().strip() if path.exists() else ""
        return dt.datetime.strptime(text, SINCEDB_FORM).replace(tzinfo=dt.UTC) if text else EPOCH


def second(listed: dict[str, Any]) -> dt.datetime:
    """The object's time as its own header has it; an emulator's listing knows more."""
    time: dt.datetime = listed["LastModified"]
    return time.replace(microsecond=0)


def plain_lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from file


def gzip_lines(path: Path) -> Iterator[bytes]:
    """Lines as Java's readers give them: where an object breaks off, less than 8,192 characters before are lost too."""
    rest = ""
    with io.TextIOWrapper(gzip.open(path), "utf-8", errors="replace") as text:
        while block := text.read(8192):
            *lines, rest = (rest + block).split("\n")
            yield from (line.encode() for line in lines)
    if rest:
        yield rest.encode()


def in_javas_words(error: Exception) -> str:
    if isinstance(error, EOFError):
        return "Unexpected end of ZLIB input stream"
    if isinstance(error, gzip.BadGzipFile):
        return "Not in GZIP format" if "Not a gzipped" in str(error) else "Corrupt GZIP trailer"
    return str(error).partition(": ")[2] or str(error)


def _header(event: Event) -> dict[str, str]:
    message = event.get("message")
    for start, name in HEADERS.items():
        if isinstance(message, str) and message.startswith(start):
            return {name: message.strip().removeprefix(start)}
    return {}


PLUGIN = S3Input
