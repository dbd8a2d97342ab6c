# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends visitors to the edge and waits for their access logs, or delivers real access logs; counts both.

python3 -m sandbox.traffic --hits 1000
python3 -m sandbox.traffic --logs FOLDER
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import sys
import time
import uuid
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Iterator
from http.client import HTTPConnection
from itertools import chain
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlencode, urlsplit

import boto3

from sandbox.edge.edge import find_distribution
from sandbox.local import AWS, EDGE

BROWSERS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0"
    " Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0"
    " Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 16; Pixel 10) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0"
    " Mobile Safari/537.36",
)
BOTS = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
)
PAGES = (
    "/",
    "/pricing",
    "/docs",
    "/docs/größe",
    "/blog/2026/own-your-analytics",
    "/search?q=c%2B%2B&page=2",
    "/kontakt",
)
REFERRERS = ("", "", "https://www.google.com/", "https://news.ycombinator.com/item?id=1", "https://example.org/links")
SCREENS = ("1920x1080", "1440x900", "390x844", "412x915")
PIXEL = "/pixel.gif"
PROCESSED = "Processed/"
DELIVERY_SECONDS = 120
UNESCAPED = "!'()*-._~"  # what a browser's encodeURIComponent leaves alone


class Request(NamedTuple):
    outcome: str  # what should become of its log line: event, malformed or filtered
    kind: str
    method: str
    target: str
    headers: dict[str, str]


class Visitor(NamedTuple):
    address: str
    user_agent: str
    language: str
    screen: str


def visitor(chance: random.Random) -> Visitor:
    if chance.random() < 0.3:
        address = f"2001:db8:{chance.randrange(65536):x}:{chance.randrange(65536):x}::{chance.randrange(1, 65536):x}"
    else:
        address = f"{chance.choice(('192.0.2', '198.51.100', '203.0.113'))}.{chance.randrange(1, 255)}"
    user_agent = chance.choice(BOTS if chance.random() < 0.08 else BROWSERS)
    return Visitor(address, user_agent, chance.choice(("de", "en-GB", "en-US", "fr")), chance.choice(SCREENS))


def payload(chance: random.Random, who: Visitor) -> dict[str, str]:
    sent = {
        "event": chance.choices(("page_view", "click", "download"), (8, 1, 1))[0],
        "url": f"https://www.example.com{chance.choice(PAGES)}",
        "referrer": chance.choice(REFERRERS),
        "title": chance.choice(("Start", "Preise: 50 % günstiger", 'The "open" way', "C++ & Ruby", "日本語 👋")),
        "language": who.language,
        "screen": who.screen,
    }
    return {name: value for name, value in sent.items() if value}


def encode(kind: str, sent: dict[str, str]) -> str:
    """The three forms that the pixel takes."""
    text = json.dumps(sent, ensure_ascii=False, separators=(",", ":"))
    if kind == "json":
        return quote(text, safe=UNESCAPED)
    if kind == "base64url":
        return "e=" + urlsafe_b64encode(text.encode()).decode().rstrip("=")
    return urlencode(sent)


EVENTS = {"base64url": 45, "json": 30, "flat": 10}
MALFORMED = {  # a pixel request without a payload to make an event of
    "no query": "",
    "cut JSON": "?" + quote('{"event":"page_view","url":"https://www.exam', safe=UNESCAPED),
    "no object": "?" + quote('["page_view"]', safe=UNESCAPED),
    "no base64url": "?e=***",
    "not UTF-8": "?%7B%22title%22%3A%22caf%E9%22%7D",
}
FILTERED = {
    "favicon": ("GET", "/favicon.ico"),
    "robots": ("GET", "/robots.txt"),
    "head": ("HEAD", f"{PIXEL}?event=page_view"),
    "post": ("POST", PIXEL),
    "scanner": ("GET", "/wp-login.php?a=%3Cscript%3E"),
}


def requests(count: int, seed: int) -> Iterator[Request]:
    chance = random.Random(seed)
    visitors = [visitor(chance) for _ in range(max(5, count // 10))]
    kinds = {
        **EVENTS,
        **dict.fromkeys(MALFORMED, 1),
        **dict.fromkeys(FILTERED, 2),
    }
    for kind in chance.choices(list(kinds), list(kinds.values()), k=count):
        who = chance.choice(visitors)
        headers = {"User-Agent": who.user_agent, "X-Forwarded-For": who.address, "Accept-Language": who.language}
        if chance.random() < 0.7:
            headers["Referer"] = f"https://www.example.com{quote(chance.choice(PAGES), safe='/?=&%')}"
        if kind in EVENTS:
            yield Request("event", kind, "GET", f"{PIXEL}?{encode(kind, payload(chance, who))}", headers)
        elif kind in MALFORMED:
            yield Request("malformed", kind, "GET", PIXEL + MALFORMED[kind], headers)
        else:
            yield Request("filtered", kind, *FILTERED[kind], headers)


def send(edge: str, count: int, seed: int, rate: float) -> tuple[dict[str, object], set[str]]:
    """Returns counts, and the request ids that the access logs must show."""
    address = urlsplit(edge)
    connection = HTTPConnection(address.hostname or "", address.port or 80, timeout=30)
    outcomes, kinds, ids, started, reported = Counter[str](), Counter[str](), set(), time.monotonic(), time.monotonic()
    for number, request in enumerate(requests(count, seed), 1):
        if rate and (early := started + number / rate - time.monotonic()) > 0:
            time.sleep(early)
        try:
            connection.request(request.method, request.target, headers=request.headers)
            response = connection.getresponse()
            response.read()
        except OSError as error:
            sys.exit(f"Failed to reach the edge {edge}: {error}.")
        if request.outcome != "filtered" and response.status != 200:
            sys.exit(f"Failed to get the pixel {request.target} from {edge}: {response.status} {response.reason}.")
        ids.add(response.headers["X-Amz-Cf-Id"])
        outcomes[request.outcome] += 1
        kinds[request.kind] += 1
        if time.monotonic() - reported >= 2 or number == count:
            reported = time.monotonic()
            print(f"{number} of {count} requests sent, {number / (reported - started):.0f}/s", flush=True)
    return {"requests": count, **dict(sorted(outcomes.items())), "kinds": dict(sorted(kinds.items()))}, ids


class LogBucket:
    """Where the distribution delivers its access logs."""

    def __init__(self, endpoint_url: str, region: str, distribution: str) -> None:
        connection = {**AWS, "endpoint_url": endpoint_url, "region_name": region}
        self._s3 = boto3.client("s3", **connection)
        found = find_distribution(boto3.client("cloudfront", **connection), distribution)
        if found is None:
            sys.exit(f"Failed to find a distribution{distribution and ' ' + distribution} at {endpoint_url}.")
        self._bucket, self._prefix = found.log_bucket, found.log_prefix

    def keys(self) -> set[str]:
        """Keys as delivered, of what waits and of what was processed."""
        pages = [
            self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix + self._prefix)
            for prefix in ("", PROCESSED)
        ]
        return {found["Key"].removeprefix(PROCESSED) for page in chain(*pages) for found in page.get("Contents", [])}

    def await_delivery(self, ids: set[str], seen: set[str]) -> None:
        """Until every request is found in an object that was not there before."""
        missing, deadline = set(ids), time.monotonic() + DELIVERY_SECONDS
        while missing:
            if time.monotonic() > deadline:
                sys.exit(f"Failed to find {len(missing)} of {len(ids)} requests in s3://{self._bucket}/{self._prefix}.")
            for key in self.keys() - seen:
                if (text := self._read(key)) is not None:
                    seen.add(key)
                    missing -= {column for line in text.splitlines() for column in line.split("\t")[14:15]}
            print(f"{len(ids) - len(missing)} of {len(ids)} requests delivered as log lines", flush=True)
            time.sleep(1 if missing else 0)

    def _read(self, key: str) -> str | None:
        for prefix in ("", PROCESSED):
            try:
                body: bytes = self._s3.get_object(Bucket=self._bucket, Key=prefix + key)["Body"].read()
            except self._s3.exceptions.NoSuchKey:
                continue  # being moved
            return gzip.decompress(body).decode()
        return None

    def put(self, source: Path) -> int:
        files = sorted(source.iterdir()) if source.is_dir() else [source]
        logs = [
            file
            for file in files
            if file.is_file() and file.suffix not in (".md", ".yml") and not file.name.startswith(".")
        ]
        if not logs:
            sys.exit(f"There is no log file in {source}.")
        for number, log in enumerate(logs, 1):
            key = self._prefix + object_name(log.name, log.read_bytes()[:2] == b"\x1f\x8b")
            self._s3.upload_file(str(log), self._bucket, key)
            print(f"{number} of {len(logs)} objects delivered: {key}", flush=True)
        return len(logs)


def object_name(name: str, compressed: bool) -> str:
    """The file's name, made unique in front of its ending, and ending as its content asks."""
    return f"{name.removesuffix('.gz')}-{uuid.uuid4().hex[:8]}{'.gz' if compressed else ''}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--hits", type=int, help="how many requests to send to the edge")
    what.add_argument("--logs", type=Path, help="log file, or folder of log files, to deliver instead")
    parser.add_argument("--edge", default=EDGE, help="URL of the edge")
    parser.add_argument("--endpoint-url", default=AWS["endpoint_url"], help="of the emulated AWS")
    parser.add_argument("--region", default=AWS["region_name"])
    parser.add_argument("--distribution", default="", help="id, domain name, alias or comment; the only one without it")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=0, help="requests per second; as many as possible without it")
    parser.add_argument("--report", type=Path, help="file to write the counts to, as JSON")
    options = parser.parse_args()

    bucket = LogBucket(options.endpoint_url, options.region, options.distribution)
    if options.logs:
        counts: dict[str, object] = {"objects": bucket.put(options.logs)}
    else:
        seen = bucket.keys()
        counts, ids = send(options.edge, options.hits, options.seed, options.rate)
        bucket.await_delivery(ids, seen)
    print(json.dumps(counts), flush=True)
    if options.report:
        options.report.write_text(json.dumps(counts), encoding="utf-8")


if __name__ == "__main__":
    main()
