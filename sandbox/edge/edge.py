# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands for a CloudFront distribution on this machine; README.md says what it imitates and where it stops."""

from __future__ import annotations

import argparse
import gzip
import signal
import sys
import threading
import time
import zlib
from base64 import urlsafe_b64encode
from dataclasses import dataclass, replace
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from os import urandom
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

FIELDS = (
    "date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent)"
    " cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken"
    " x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type cs-protocol-version fle-status"
    " fle-encrypted-fields c-port time-to-first-byte x-edge-detailed-result-type sc-content-type sc-content-len"
    " sc-range-start sc-range-end"
)
ESCAPED = frozenset(b"""<>"#%{}|\\^~[]`'""") | frozenset(range(33)) | frozenset(range(127, 256))
LOCATIONS = ("FRA56-P1", "IAD89-C2", "LHR50-P4", "NRT57-P3", "SFO53-C1")
MAX_URL_BYTES = 8192
MAX_HEADER_BYTES = 20480
FRESH_SECONDS = 5
UNREACHABLE = (BotoCoreError, ClientError, OSError)


def escape(raw: bytes) -> str:
    """A value as CloudFront writes it into a log; an empty one is a hyphen."""
    return "".join(f"%{byte:02X}" if byte in ESCAPED else chr(byte) for byte in raw) or "-"


@dataclass(frozen=True)
class Distribution:
    id: str
    domain_name: str
    bucket: str
    origin_path: str
    default_root_object: str
    methods: frozenset[str]
    headers: dict[str, str]
    log_bucket: str
    log_prefix: str


@dataclass(frozen=True)
class Answer:
    status: int
    result: str
    detail: str
    headers: dict[str, str]
    body: bytes


def policy_headers(policy: dict[str, Any]) -> dict[str, str]:
    """The headers that a response headers policy adds, as far as our template uses such policies."""
    headers = {item["Header"]: item["Value"] for item in policy.get("CustomHeadersConfig", {}).get("Items", [])}
    if cors := policy.get("CorsConfig"):
        headers["Access-Control-Allow-Origin"] = ", ".join(cors["AccessControlAllowOrigins"]["Items"])
    security = policy.get("SecurityHeadersConfig", {})
    if "ContentTypeOptions" in security:
        headers["X-Content-Type-Options"] = "nosniff"
    if "StrictTransportSecurity" in security:
        age = security["StrictTransportSecurity"]["AccessControlMaxAgeSec"]
        headers["Strict-Transport-Security"] = f"max-age={age}"
    return headers


def find_distribution(cloudfront: Any, name: str) -> Distribution | None:  # noqa: ANN401
    """The distribution whose id, domain name, alias or comment is `name`; with an empty name the first one."""
    for summary in cloudfront.list_distributions()["DistributionList"].get("Items", []):
        known = {summary["Id"], summary["DomainName"], summary["Comment"], *summary["Aliases"].get("Items", [])}
        if name and name not in known:
            continue
        config = cloudfront.get_distribution_config(Id=summary["Id"])["DistributionConfig"]
        behavior, logging = config["DefaultCacheBehavior"], config.get("Logging", {"Enabled": False})
        origin = next(item for item in config["Origins"]["Items"] if item["Id"] == behavior["TargetOriginId"])
        headers = {}
        if policy_id := behavior.get("ResponseHeadersPolicyId"):
            policy = cloudfront.get_response_headers_policy(Id=policy_id)["ResponseHeadersPolicy"]
            headers = policy_headers(policy["ResponseHeadersPolicyConfig"])
        return Distribution(
            id=summary["Id"],
            domain_name=summary["DomainName"],
            bucket=origin["DomainName"].partition(".s3.")[0],
            origin_path=origin.get("OriginPath", ""),
            default_root_object=config.get("DefaultRootObject", ""),
            methods=frozenset(behavior.get("AllowedMethods", {"Items": ["GET", "HEAD"]})["Items"]),
            headers=headers,
            log_bucket=logging["Bucket"].partition(".s3.")[0] if logging["Enabled"] else "",
            log_prefix=logging.get("Prefix", ""),
        )
    return None


class AccessLog:
    """Lines wait in a folder, each written as its request ends: neither a kill nor an absent S3 loses one."""

    def __init__(self, spool: Path, s3: Any, batch_lines: int) -> None:  # noqa: ANN401
        self._s3, self._batch_lines = s3, batch_lines
        self._lines, self._ready = spool / "lines", spool / "ready"
        self._lines.mkdir(parents=True, exist_ok=True)
        self._ready.mkdir(parents=True, exist_ok=True)
        self._lock, self._count = threading.Lock(), 0
        self.full = threading.Event()

    def append(self, distribution: Distribution, line: str) -> None:
        hour = line[:13].replace("\t", "-")
        batch = f"{distribution.log_bucket}/{distribution.log_prefix}{distribution.id}.{hour}"
        with self._lock:
            with (self._lines / quote(batch, safe="")).open("a", encoding="ascii") as file:
                file.write(line + "\n")
            self._count += 1
            if self._count >= self._batch_lines:
                self.full.set()

    def deliver(self) -> None:
        with self._lock:
            self._count = 0
            for lines in self._lines.iterdir():
                lines.rename(self._ready / f"{lines.name}.{urandom(4).hex()}.gz")
        for batch in sorted(self._ready.iterdir()):
            bucket, _, key = unquote(batch.name).partition("/")
            text = f"#Version: 1.0\n#Fields: {FIELDS}\n{batch.read_text(encoding='ascii')}"
            self._s3.put_object(Bucket=bucket, Key=key, Body=gzip.compress(text.encode("ascii")))
            batch.unlink()


class Edge(ThreadingHTTPServer):
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], name: str, log: AccessLog, s3: Any, cloudfront: Any) -> None:  # noqa: ANN401
        super().__init__(address, Handler)
        self.log, self._name, self._s3, self._cloudfront = log, name, s3, cloudfront
        self.distribution: Distribution | None = None
        self._cache: dict[tuple[str, str], tuple[float, Answer]] = {}

    def refresh(self) -> None:
        """Reads the distribution's configuration and delivers its log; what cannot be done now is for the next time."""
        try:
            self.distribution = find_distribution(self._cloudfront, self._name)
            self.log.deliver()
        except UNREACHABLE as error:
            print(f"Failed to reach AWS, lines wait: {error}", file=sys.stderr)

    def answer(self, distribution: Distribution, method: str, path: str) -> Answer:
        if method not in distribution.methods:
            return Answer(403, "Error", "Error", {}, b"The distribution is not configured to allow this method.\n")
        key = (distribution.origin_path + unquote(path)).lstrip("/") or distribution.default_root_object
        until, cached = self._cache.get((distribution.bucket, key), (0.0, None))
        if cached and time.monotonic() < until:
            return cached
        try:
            found = self._s3.get_object(Bucket=distribution.bucket, Key=key)
            headers, body = {"Content-Type": found["ContentType"], "ETag": found["ETag"]}, found["Body"].read()
            answer = Answer(200, "Miss", "Miss", headers, body)
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            answer = Answer(status, "Error", "Error", {}, f"{HTTPStatus(status).phrase}\n".encode())
        except UNREACHABLE:
            answer = cached or Answer(502, "Error", "OriginConnectError", {}, b"The origin does not answer.\n")
        hit = replace(answer, result="Hit", detail="Hit") if answer.result == "Miss" else answer
        self._cache[distribution.bucket, key] = (time.monotonic() + FRESH_SECONDS, hit)
        return answer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    server: Edge

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        # The base class looks for a do_<METHOD>; a distribution has its own list of methods.
        if name.startswith("do_"):
            return self._respond
        raise AttributeError(name)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """The access log is the log."""

    def _respond(self) -> None:
        started = time.monotonic()
        header_bytes = sum(len(f"{name}: {value}\r\n") for name, value in self.headers.items())
        if self.headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in self.headers:
            self.close_connection = True  # nobody reads the body
        distribution = self.server.distribution
        if distribution is None:
            self._send(Answer(503, "Error", "Error", {}, b"There is no distribution yet.\n"), {})
            return
        path, _, query = self.path.partition("?")
        too_large = 414 if len(self.path) > MAX_URL_BYTES else 413 if header_bytes > MAX_HEADER_BYTES else 0
        if too_large:  # CloudFront keeps no record of these
            self._send(Answer(too_large, "Error", "Error", {}, b""), {})
            return
        answer = self.server.answer(distribution, self.command, path)
        *forwarded, client = map(str.strip, self.headers.get("X-Forwarded-For", self.client_address[0]).split(","))
        location = LOCATIONS[zlib.crc32(client.encode("latin-1")) % len(LOCATIONS)]
        request_id = urlsafe_b64encode(urandom(40)).decode()
        via = {"X-Cache": f"{answer.result} from cloudfront", "X-Amz-Cf-Pop": location, "X-Amz-Cf-Id": request_id}
        sent = self._send(answer, {**distribution.headers, **via})
        if not distribution.log_bucket:
            return
        taken = f"{time.monotonic() - started:.3f}"
        result, detail, status = answer.result, answer.detail, str(answer.status)
        if not sent:
            result, detail, status = "Error", "ClientCommError", "000"

        def header(name: str) -> str:
            return escape(self.headers.get(name, "").encode("latin-1"))

        line = [
            time.strftime("%Y-%m-%d\t%H:%M:%S", time.gmtime()), location, str(sent), escape(client.encode("latin-1")),
            self.command, distribution.domain_name, escape(path.encode("latin-1")), status, header("Referer"),
            header("User-Agent"), escape(query.encode("latin-1")), "-", result, request_id, header("Host"), "https",
            str(len(self.raw_requestline) + header_bytes + 2), taken, escape(", ".join(forwarded).encode("latin-1")),
            "TLSv1.3", "TLS_AES_128_GCM_SHA256", result, self.request_version, "-", "-", str(self.client_address[1]),
            taken, detail, answer.headers.get("Content-Type", "-"), str(len(answer.body)), "-", "-",
        ]  # fmt: skip
        self.server.log.append(distribution, "\t".join(line))

    def _send(self, answer: Answer, headers: dict[str, str]) -> int:
        """Bytes sent; 0 when the viewer is gone."""
        connection = {"Connection": "close"} if self.close_connection else {}
        lines = {**answer.headers, **headers, "Content-Length": str(len(answer.body)), **connection}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        status = f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}\r\n{head}\r\n"
        data = status.encode("latin-1") + (b"" if self.command == "HEAD" else answer.body)
        try:
            self.wfile.write(data)
        except OSError:
            self.close_connection = True
            return 0
        return len(data)


def main() -> None:
    parser = argparse.ArgumentParser(prog="edge", description=__doc__)
    parser.add_argument("--listen", default="127.0.0.1:8080", help="address:port")
    parser.add_argument("--endpoint-url", required=True, help="of the emulated AWS")
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument("--distribution", default="", help="id, domain name, alias or comment; the only one without it")
    parser.add_argument("--spool", type=Path, default=Path("/var/lib/edge"), help="where lines wait for their delivery")
    parser.add_argument("--batch-seconds", type=float, default=3.0)
    parser.add_argument("--batch-lines", type=int, default=1000)
    arguments = parser.parse_args()

    config = Config(
        retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=5, s3={"addressing_style": "path"}
    )
    connection = {"endpoint_url": arguments.endpoint_url, "region_name": arguments.region, "config": config}
    s3, cloudfront = boto3.client("s3", **connection), boto3.client("cloudfront", **connection)
    log = AccessLog(arguments.spool, s3, arguments.batch_lines)
    host, _, port = arguments.listen.rpartition(":")
    stop = threading.Event()

    def end(*_: object) -> None:
        stop.set()
        log.full.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    with Edge((host, int(port)), arguments.distribution, log, s3, cloudfront) as edge:
        edge.refresh()
        threading.Thread(target=edge.serve_forever, daemon=True).start()
        print(f"edge: listening on {arguments.listen}", flush=True)
        while not stop.is_set():
            log.full.wait(arguments.batch_seconds)
            log.full.clear()
            edge.refresh()
        edge.shutdown()
        edge.refresh()


if __name__ == "__main__":
    main()
