# SPDX-License-Identifier: GPL-3.0-or-later
"""Encoded events in files below a temporary directory, uploaded when they are large or old enough."""

from __future__ import annotations

import gzip
import re
import shutil
import threading
import time
import uuid
import zlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

from botocore.exceptions import BotoCoreError, ClientError

from ...aws import OPTIONS, s3_client
from ...config import ConfigurationError
from ...event import Event
from ..base import ExecutionContext, Option, Output

PERIODIC_CHECK = 15
RETRY_DELAY = 1
UNUSUAL = re.compile(r"[\^`><]")


class TemporaryFile:
    """`<temporary directory>/<uuid>/<key>`; the folder goes with the upload, the path tells the key after a crash."""

    def __init__(self, root: Path, key: str, *, compressed: bool) -> None:
        self.root = root
        self.key = key
        self.path = Path(f"{root}/{key}")
        root.mkdir(parents=True)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.raw: BinaryIO = self.path.open("wb")
        self.file: Any = gzip.GzipFile(fileobj=self.raw, mode="wb") if compressed else self.raw
        self.meter = zlib.compressobj() if compressed else None
        self.size = 0
        self.created = time.monotonic()

    def write(self, data: bytes) -> None:
        self.file.write(data)
        # The real one counts what its compressor has let go of, as if nothing were ever flushed.
        self.size += len(self.meter.compress(data)) if self.meter else len(data)

    def flush(self) -> None:
        """Hand everything to the operating system, so that it outlives a kill; the real one does not."""
        self.file.flush()

    def close(self) -> None:
        self.file.close()
        self.raw.close()


class S3Output(Output):
    codec = "line"
    options: ClassVar[dict[str, Option]] = {
        **OPTIONS,
        "bucket": Option(required=True),
        "prefix": Option(default=""),
        "encoding": Option(("none", "gzip"), default="none"),
        "rotation_strategy": Option(("size_and_time", "size", "time"), default="size_and_time"),
        "size_file": Option("number", default=5 * 1024 * 1024),
        "time_file": Option("number", default=15),
        "temporary_directory": Option(required=True),
        "restore": Option("boolean", default=True),
        "validate_credentials_on_root_bucket": Option("boolean", default=True),
    }

    def __init__(self, context: ExecutionContext, settings: dict[str, Any]) -> None:
        super().__init__(context, settings)
        self.s3 = s3_client(settings)

    def register(self) -> None:
        self.directory = Path(self.settings["temporary_directory"])
        self.directory.mkdir(parents=True, exist_ok=True)
        if self.settings["validate_credentials_on_root_bucket"]:
            self._check_bucket()
        self.compressed = self.settings["encoding"] == "gzip"
        self.files: dict[str, TemporaryFile] = {}
        self.parts: Counter[str] = Counter()
        self.lock = threading.Lock()
        self.closing = threading.Event()
        left = [path for path in self.directory.rglob("*") if path.is_file()] if self.settings["restore"] else []
        self.background = threading.Thread(target=self._work_in_background, args=(left,), name=f"{self.id} rotation")
        self.background.start()

    def receive(self, events: list[Event]) -> None:
        with self.lock:
            written = set()
            for event in events:
                prefix = UNUSUAL.sub("_", event.sprintf(self.settings["prefix"]))
                written.add(prefix)
                if prefix not in self.files:
                    self.files[prefix] = self._new_file(prefix)
                self.files[prefix].write(self.settings["codec"].encode(event))
            for prefix in written:
                self.files[prefix].flush()
            self._rotate(written)

    def close(self) -> None:
        """Upload everything: a stop waits until S3 has answered."""
        self.closing.set()
        self.background.join()
        for prefix in list(self.files):
            self._finish(prefix)

    def _work_in_background(self, left: list[Path]) -> None:
        for path in left:
            self._restore(path)
        while not self.closing.wait(PERIODIC_CHECK):
            with self.lock:
                self._rotate(list(self.files))

    def _new_file(self, prefix: str) -> TemporaryFile:
        name = f"ls.s3.{uuid.uuid4()}.{time.strftime('%Y-%m-%dT%H.%M')}.part{self.parts[prefix]}"
        name += ".txt.gz" if self.compressed else ".txt"
        key = f"{prefix.rstrip('/')}/{name}".removeprefix("/")
        return TemporaryFile(self.directory / str(uuid.uuid4()), key, compressed=self.compressed)

    def _rotate(self, prefixes: Iterable[str]) -> None:
        strategy = self.settings["rotation_strategy"]
        for prefix in prefixes:
            file = self.files[prefix]
            large = file.size >= self.settings["size_file"] and strategy != "time"
            old = time.monotonic() - file.created >= self.settings["time_file"] * 60 and strategy != "size"
            if large or old:
                self._finish(prefix)

    def _finish(self, prefix: str) -> None:
        file = self.files.pop(prefix)
        self.parts[prefix] += 1
        file.close()
        self._upload(file.key, file.path.read_bytes())
        shutil.rmtree(file.root)

    def _restore(self, path: Path) -> None:
        root, *key = path.relative_to(self.directory).parts
        content = path.read_bytes()
        if content and path.name.endswith(".txt.gz"):
            content = gzip.compress(self._recovered(path, content))
        if content:
            self._upload("/".join(key), content)
        shutil.rmtree(self.directory / root)

    def _recovered(self, path: Path, content: bytes) -> bytes:
        """What can be read of a gzip file that a kill may have cut off."""
        reader = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        text = reader.decompress(content)
        if not reader.eof:
            self.log.warning("Corrupted file recovered, path:%s", str(path).replace(".txt.gz", "-recovered.txt"))
        return text

    def _upload(self, key: str, content: bytes) -> None:
        encoding = {"ContentEncoding": "gzip"} if self.compressed else {}
        tries = 0
        while True:
            try:
                self.s3.put_object(
                    Bucket=self.settings["bucket"],
                    Key=key,
                    Body=content,
                    ContentType="application/octet-stream",
                    **encoding,
                )
                return
            except (BotoCoreError, ClientError) as error:
                tries += 1
                self.log.warning("Uploading failed, retrying (#%d of Infinity): %s: %s", tries, key, error)
                time.sleep(RETRY_DELAY)

    def _check_bucket(self) -> None:
        probe = {
            "Bucket": self.settings["bucket"],
            "Key": f"logstash-programmatic-access-test-object-{uuid.uuid4()}",
        }
        try:
            self.s3.put_object(**probe, Body=b"")
            self.s3.delete_object(**probe)
        except (BotoCoreError, ClientError) as error:
            self.log.error("Error validating bucket write permissions!: %s", error)
            raise ConfigurationError(
                f"Logstash must have the privileges to write to root bucket `{self.settings['bucket']}`,"
                " check your credentials or your permissions."
            ) from error


PLUGIN = S3Output
