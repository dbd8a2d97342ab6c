# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends visitors to the edge, or puts real access logs where CloudFront would; counts what was sent.

python3 sandbox/traffic.py hits --edge http://10.89.77.2:8080 --count 1000
python3 sandbox/traffic.py logs --endpoint-url http://10.89.77.2:4566 --bucket NAME --prefix cloudfront/ FOLDER
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
import uuid
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlencode, urlsplit

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
    "head": ("HEAD", "/pixel.gif?event=page_view"),
    "post": ("POST", "/pixel.gif"),
    "scanner": ("GET", "/wp-login.php?a=%3Cscript%3E"),
}


def requests(count: int, seed: int, pixel: str) -> Iterator[Request]:
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
            yield Request("event", kind, "GET", f"{pixel}?{encode(kind, payload(chance, who))}", headers)
        elif kind in MALFORMED:
            yield Request("malformed", kind, "GET", pixel + MALFORMED[kind], headers)
        else:
            yield Request("filtered", kind, *FILTERED[kind], headers)


def send(edge: str, count: int, seed: int, rate: float, pixel: str) -> dict[str, object]:
    address = urlsplit(edge)
    connection = HTTPConnection(address.hostname or "", address.port or 80, timeout=30)
    outcomes, kinds, started, reported = Counter[str](), Counter[str](), time.monotonic(), time.monotonic()
    for number, request in enumerate(requests(count, seed, pixel), 1):
        if rate and (early := started + number / rate - time.monotonic()) > 0:
            time.sleep(early)
        connection.request(request.method, request.target, headers=request.headers)
        response = connection.getresponse()
        response.read()
        if request.outcome != "filtered" and response.status != 200:
            sys.exit(f"Failed to get the pixel {request.target} from {edge}: {response.status} {response.reason}.")
        outcomes[request.outcome] += 1
        kinds[request.kind] += 1
        if time.monotonic() - reported >= 2 or number == count:
            reported = time.monotonic()
            print(f"{number} of {count} requests sent, {number / (reported - started):.0f}/s", flush=True)
    return {"sent": count, "outcomes": dict(sorted(outcomes.items())), "kinds": dict(sorted(kinds.items()))}


def object_name(name: str, compressed: bool) -> str:
    """The file's name, made unique in front of its ending, and ending as its content asks."""
    return f"{name.removesuffix('.gz')}-{uuid.uuid4().hex[:8]}{'.gz' if compressed else ''}"


def upload(endpoint_url: str | None, region: str, bucket: str, prefix: str, source: Path) -> dict[str, object]:
    import boto3  # only here, so that sending hits needs the standard library alone

    s3 = boto3.client("s3", endpoint_url=endpoint_url, region_name=region)
    files = sorted(source.iterdir()) if source.is_dir() else [source]
    logs = [file for file in files if file.is_file() and file.suffix != ".md" and not file.name.startswith(".")]
    for number, log in enumerate(logs, 1):
        key = prefix + object_name(log.name, log.read_bytes()[:2] == b"\x1f\x8b")
        s3.upload_file(str(log), bucket, key)
        print(f"{number} of {len(logs)} objects put: {key}", flush=True)
    return {"sent": len(logs)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--report", type=Path, help="file to write the counts to, as JSON")
    modes = parser.add_subparsers(required=True, dest="mode")
    hits = modes.add_parser("hits")
    hits.add_argument("--edge", required=True, help="URL of the edge")
    hits.add_argument("--count", type=int, default=1000)
    hits.add_argument("--seed", type=int, default=1)
    hits.add_argument("--rate", type=float, default=0, help="requests per second; as many as possible without it")
    hits.add_argument("--pixel", default="/pixel.gif", help="path of the pixel")
    logs = modes.add_parser("logs")
    logs.add_argument("--endpoint-url", help="of the emulated AWS")
    logs.add_argument("--region", default="us-east-1")
    logs.add_argument("--bucket", required=True)
    logs.add_argument("--prefix", default="cloudfront/")
    logs.add_argument("source", type=Path, help="file, or folder of files")
    options = vars(parser.parse_args())
    report, mode = options.pop("report"), options.pop("mode")
    counts = send(**options) if mode == "hits" else upload(**options)
    print(json.dumps(counts), flush=True)
    if report:
        report.write_text(json.dumps(counts), encoding="utf-8")


if __name__ == "__main__":
    main()
