# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a page of a day, a week or a month out of the index: panels as data in, one self-contained HTML file out.

The password comes from the file `password` in CREDENTIALS_DIRECTORY, as systemd gives it to a unit, or else from
standard input. The last line says in JSON what was made.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from math import ceil
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import boto3
import pygal
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from elastic_transport import Transport, TransportError
from elastic_transport.client_utils import basic_auth_to_header, url_to_node_config
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pygal.style import Style

Json = dict[str, Any]
ALIAS = "simple-analytics-events"
PREFIX = "reports/"
COUNTED = "events"  # name in the page's metadata
REQUEST_SECONDS = 120
# What a library calls its connection in front of why there is none.
OBJECT = re.compile(r"^<?[\w.]*HTTPS?Connection\b.*?: (?=[A-Z])")
AREA = 1  # which of a chart's series is the area
# Terms that each shard names: the tenth of a month must not be missing where it was the thirtieth on most days.
SHARD_SIZE = 5000


@dataclass(frozen=True)
class Size:
    """Of a chart, in pixels."""

    width: int
    height: int
    letters: int
    labels: int  # on the horizontal axis, about


SIZES = {"desk": Size(1080, 260, 13, 10), "tablet": Size(620, 250, 13, 6), "phone": Size(330, 220, 12, 4)}


@dataclass(frozen=True)
class Period:
    name: str
    days: int
    interval: str  # of what is shown over time
    form: str  # how its points are named


DAY = timedelta(days=1)
PERIODS = {
    period.name: period
    for period in (
        Period("day", 1, "1h", "%H:%M"),
        Period("week", 7, "1d", "%a %d"),
        Period("month", 30, "1d", "%d %b"),
    )
}


@dataclass(frozen=True)
class Span:
    """A period up to and with its last day, or up to now where that is earlier."""

    period: Period
    last: date
    now: datetime

    @property
    def first(self) -> date:
        return self.last - (self.period.days - 1) * DAY

    @property
    def start(self) -> datetime:
        return datetime.combine(self.first, time(), UTC)

    @property
    def whole_end(self) -> datetime:
        return datetime.combine(self.last + DAY, time(), UTC)

    @property
    def end(self) -> datetime:
        return min(self.whole_end, max(self.start, self.now))

    @property
    def before(self) -> Span:
        """As much time of the period before it."""
        back = self.period.days * DAY
        return Span(self.period, self.last - back, self.end - back)

    def told(self) -> str:
        first, last = self.first, self.last
        if first == last:
            return f"{last:%A}, {last.day} {last:%B %Y}"
        return f"{first.day} {first:%B}{f' {first.year}' if first.year != last.year else ''} to {last.day} {last:%B %Y}"


def exact(aggregation: Json, span: Span) -> Json:
    """With every interval of the period, those without an event too, and terms counted over all of many indices."""
    if "terms" in aggregation:
        return {"terms": {"shard_size": SHARD_SIZE, **aggregation["terms"]}}
    if "auto_date_histogram" not in aggregation:
        return aggregation
    end = span.whole_end - timedelta(milliseconds=1)
    return {
        "date_histogram": {
            "field": aggregation["auto_date_histogram"]["field"],
            "fixed_interval": span.period.interval,
            "min_doc_count": 0,
            "extended_bounds": {"min": span.start.isoformat(), "max": end.isoformat(timespec="milliseconds")},
        }
    }


def question(panels: list[Json], span: Span) -> Json:
    """All panels in one search."""
    return {
        "size": 0,
        "query": {"range": {"@timestamp": {"gte": span.start.isoformat(), "lt": span.end.isoformat()}}},
        "aggs": {
            str(number): {
                "filter": panel.get("query", {"match_all": {}}),
                "aggs": {"panel": exact(panel["aggregation"], span)},
            }
            for number, panel in enumerate(panels)
        },
    }


def as_before(panels: list[Json], answers: list[Json]) -> list[Json]:
    """The panels for the period before: of terms, those that are shown."""
    asked = []
    for panel, answer in zip(panels, answers, strict=True):
        terms = panel["aggregation"].get("terms")
        keys = [bucket["key"] for bucket in answer["panel"].get("buckets", [])]
        shown = {"terms": {**terms, "include": keys}} if terms and keys else panel["aggregation"]
        asked.append({**panel, "aggregation": shown})
    return asked


def change(now: float, before: float | None) -> str:
    if not before:
        return "new" if now and before is not None else ""
    percent = round(100 * (now - before) / before)
    return f"{percent:+d} %".replace("-", "\N{MINUS SIGN}") if percent else "±0 %"


def told(value: float) -> str:
    """A number as people read it."""
    return f"{value:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def value_of(answer: Json) -> float:
    return float(answer["panel"].get("value", answer["panel"].get("doc_count", 0)) or 0)


def number(panel: Json, now: Json, before: Json, span: Span) -> Json:
    earlier = value_of(before)
    return {
        "value": told(value_of(now)),
        "change": change(value_of(now), earlier) if earlier else "nothing before",
    }


def moments(answer: Json) -> list[datetime]:
    return [datetime.fromtimestamp(bucket["key"] / 1000, UTC) for bucket in answer["panel"]["buckets"]]


def reached(answer: Json, end: datetime) -> list[int]:
    """The counts of the intervals that have begun: those to come are asked for as well, and hold nothing yet."""
    buckets = answer["panel"]["buckets"]
    return [bucket["doc_count"] for bucket, moment in zip(buckets, moments(answer), strict=True) if moment < end]


def line(panel: Json, now: Json, before: Json, span: Span) -> Json:
    counts, earlier = reached(now, span.end), reached(before, span.before.end)
    if not any(counts):
        return {"empty": True}
    lines = [earlier if any(earlier) else [], counts]
    labels = [f"{moment:{span.period.form}}" for moment in moments(now)]
    rows = [{"label": label, "value": told(count)} for label, count in zip(labels, counts, strict=False)]
    if span.end < span.whole_end:
        rows[-1]["label"] += ", so far"
    return {
        "charts": {name: draw(labels, lines, size) for name, size in SIZES.items()},
        "rows": rows,
        "period": span.period.name,
        "compared": any(earlier),
        "empty": False,
    }


def without_border(drawing: Element) -> Element:
    """An area's border would fall to zero where its line ends."""
    for path in drawing.findall(f".//g[@class='series serie-{AREA} color-{AREA}']/path"):
        path.set("style", "stroke: none")
    return drawing


def without_scripts(drawing: Element) -> Element:
    for parent in drawing.iter():
        for script in parent.findall("script"):
            parent.remove(script)
    return drawing


def height(most: int) -> int:
    """Of a chart that holds so many: a round number, and half of it a whole one."""
    power: int = 10 ** (len(str(most)) - 1)
    tops = (part * power // 10 for part in (10, 12, 16, 20, 30, 40, 50, 60, 80, 100))
    return next(top for top in tops if top >= most and top % 2 == 0)


def draw(labels: list[str], counts: list[list[int]], size: Size) -> str:
    """The second of the two over the first. Colours are the page's, so that they follow its light and dark."""
    style = Style(
        background="transparent",
        plot_background="transparent",
        foreground="var(--quiet)",
        foreground_strong="var(--ink)",
        foreground_subtle="var(--rule)",
        colors=("var(--before)", "var(--now)", "var(--now)"),
        font_family="inherit",
        label_font_size=size.letters,
        major_label_font_size=size.letters,
        guide_stroke_color="var(--rule)",
        major_guide_stroke_color="var(--rule)",
        opacity=".12",
        opacity_hover=".12",
        stroke_width="2",
        stroke_width_hover="2",
    )
    top = height(max(count for found in counts for count in found))
    chart = pygal.Line(
        style=style,
        js=[],
        width=size.width,
        height=size.height,
        show_legend=False,
        show_dots=False,
        missing_value_fill_truncation="either",  # as far as it goes, not down to the last hour
        margin=6,
        margin_right=2 * size.letters,  # half of a label, where the last interval has one
        range=(0, top),
        x_labels_major_every=ceil(len(labels) / size.labels),
        show_minor_x_labels=False,
        truncate_label=-1,
        value_formatter=told,
        disable_xml_declaration=True,
    )
    chart.add_xml_filter(without_scripts)
    chart.add_xml_filter(without_border)
    chart.x_labels = labels
    chart.y_labels = [0, top // 2, top]
    before, now = counts
    # One point alone is no line.
    chart.add("before", before, show_dots=len(before) == 1)
    chart.add("area", now, fill=True)
    chart.add("now", now, show_dots=len(now) == 1)
    drawn: str = chart.render(is_unicode=True)
    return drawn


def compared(rows: list[Json]) -> bool:
    return any(row["change"] for row in rows)


def share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.0f} %" if part > whole / 200 else "<1 %"


def without_schemes(addresses: list[str]) -> list[str]:
    """Where two would look the same, both as they are."""
    short = [re.sub(r"^https?://", "", address, flags=re.IGNORECASE) for address in addresses]
    return [bare if short.count(bare) == 1 else address for bare, address in zip(short, addresses, strict=True)]


def bars(panel: Json, now: Json, before: Json, span: Span) -> Json:
    earlier = {bucket["key"]: bucket["doc_count"] for bucket in before["panel"]["buckets"]}
    buckets = now["panel"]["buckets"]
    most = max((bucket["doc_count"] for bucket in buckets), default=1)
    names = [str(bucket.get("key_as_string", bucket["key"])) for bucket in buckets]
    rows = [
        {
            "label": label,
            "name": name,
            "value": told(bucket["doc_count"]),
            "width": round(100 * bucket["doc_count"] / most, 1),
            "share": share(bucket["doc_count"], now["doc_count"]),
            "change": change(bucket["doc_count"], earlier.get(bucket["key"], 0 if before["doc_count"] else None)),
        }
        for bucket, name, label in zip(buckets, names, without_schemes(names), strict=True)
    ]
    others = now["panel"].get("sum_other_doc_count", 0)
    if others:
        label = "all others together"
        share_of_others = share(others, now["doc_count"])
        rows.append({"label": label, "name": label, "value": told(others), "share": share_of_others, "change": ""})
    return {"rows": rows, "compared": compared(rows), "empty": not rows}


def measure(value: float, unit: str) -> str:
    """Short times in a unit that tells them apart; a log has no less than a millisecond."""
    if unit == "s" and value < 0.1:
        return f"{1000 * value:.0f} ms" if value >= 0.001 else "under 1 ms"
    return f"{value:.3g} {unit}".strip()


def values(panel: Json, now: Json, before: Json, span: Span) -> Json:
    earlier = before["panel"]["values"]
    rows = [
        {
            "label": f"{float(key):g} %",
            "name": f"{float(key):g} %",
            "value": measure(value, panel.get("unit", "")),
            "change": change(value, earlier.get(key)),
        }
        for key, value in now["panel"]["values"].items()
        if value is not None
    ]
    return {"rows": rows, "compared": compared(rows), "empty": not rows}


CHARTS = {"number": number, "line": line, "bars": bars, "values": values}


def view(panels: list[Json], now: list[Json], before: list[Json], span: Span) -> list[Json]:
    """What the page shows of each panel."""
    return [
        {"title": panel["title"], "chart": panel["chart"], "note": panel.get("note", "")}
        | CHARTS[panel["chart"]](panel, ours, theirs, span)
        for panel, ours, theirs in zip(panels, now, before, strict=True)
    ]


class Index:
    def __init__(self, urls: list[str], authority: str, user: str, password: str) -> None:
        nodes = [url_to_node_config(url).replace(ca_certs=authority, request_timeout=REQUEST_SECONDS) for url in urls]
        self._transport = Transport(nodes)
        self._headers = {
            "accept": "application/json",
            "content-type": "application/json",
            "authorization": basic_auth_to_header((user, password)),
        }

    def answers(self, panels: list[Json], span: Span) -> list[Json]:
        """Of each panel, how many events it is about, and what its aggregation says."""
        path = f"/{ALIAS}/_search?ignore_unavailable=true"  # before the first event there is no index
        try:
            answer = self._transport.perform_request("POST", path, body=question(panels, span), headers=self._headers)
        except TransportError as error:
            raise SystemExit(f"Failed to search {ALIAS}: {OBJECT.sub('', str(error.message))}") from error
        if answer.meta.status >= 300 or answer.body["timed_out"] or answer.body["_shards"]["failed"]:
            raise SystemExit(f"Failed to search {ALIAS} in full: {answer.meta.status} {json.dumps(answer.body)[:2000]}")
        nothing: Json = {"doc_count": 0, "panel": {"buckets": [], "values": {}}}
        found: Json = answer.body.get("aggregations", {})
        return [found.get(str(number), nothing) for number in range(len(panels))]


def page(template: Path, content: Json) -> str:
    environment = Environment(
        loader=FileSystemLoader(template.parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template(template.name).render(content)


class Shelf:
    """Where the pages are kept: under a prefix of the bucket."""

    def __init__(self, bucket: str, region: str, endpoint: str | None) -> None:
        self._bucket = bucket
        self._s3 = boto3.client(
            "s3", region_name=region, endpoint_url=endpoint, config=Config(signature_version="s3v4")
        )

    def address(self, name: str) -> str:
        return f"s3://{self._bucket}/{PREFIX}{name}"

    def events(self, name: str) -> int:
        """How many the page that is there already is made of."""
        key = PREFIX + name
        try:
            found = self._s3.list_objects_v2(Bucket=self._bucket, Prefix=key).get("Contents", [])
            if key not in [each["Key"] for each in found]:
                return 0
            return int(self._s3.head_object(Bucket=self._bucket, Key=key)["Metadata"].get(COUNTED, 0))
        except (BotoCoreError, ClientError) as error:
            raise SystemExit(f"Failed to look for {self.address(name)}: {error}") from error

    def keep(self, file: Path, events: int) -> None:
        try:
            self._s3.put_object(
                Bucket=self._bucket,
                Key=PREFIX + file.name,
                Body=file.read_bytes(),
                ContentType="text/html; charset=utf-8",
                Metadata={COUNTED: str(events)},
            )
        except (BotoCoreError, ClientError) as error:
            raise SystemExit(f"{file} is made, but could not be kept as {self.address(file.name)}: {error}") from error

    def link(self, name: str, hours: float) -> str:
        """The address at which anybody finds it for so long."""
        asked = {"Bucket": self._bucket, "Key": PREFIX + name}
        link: str = self._s3.generate_presigned_url("get_object", Params=asked, ExpiresIn=round(hours * 3600))
        return link


def minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def day(told: str) -> date:
    """As an argument says it."""
    today = datetime.now(UTC).date()
    near = {"today": today, "yesterday": today - DAY}
    return near[told] if told in near else date.fromisoformat(told)


def password() -> str:
    if "CREDENTIALS_DIRECTORY" in os.environ:
        return (Path(os.environ["CREDENTIALS_DIRECTORY"]) / "password").read_text().strip()
    return sys.stdin.readline().strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--panels", type=Path, required=True, help="the panels, as JSON")
    parser.add_argument("--template", type=Path, required=True)
    parser.add_argument("--name", required=True, help="whose numbers these are")
    parser.add_argument("--url", action="append", required=True)
    parser.add_argument("--authority", required=True, help="file with the certificate of the nodes' authority")
    parser.add_argument("--user", required=True)
    parser.add_argument("--folder", type=Path, required=True, help="where the page goes")
    parser.add_argument("--bucket", required=True)
    parser.add_argument("--region", required=True)
    parser.add_argument("--endpoint")
    parser.add_argument("--link-hours", type=float, help="for how long anybody finds it by a link; none unless told")
    parser.add_argument("--last", type=day, default="yesterday", help="last day of the period: 2026-11-27, or today")
    parser.add_argument("--check", action="store_true", help="say what would be made, and make nothing")
    parser.add_argument("period", choices=PERIODS)
    given = parser.parse_args()
    now = datetime.now(UTC)
    span = Span(PERIODS[given.period], given.last, now)
    file: Path = given.folder / f"{given.name}-{span.period.name}-{span.last}.html"
    shelf = Shelf(given.bucket, given.region, given.endpoint)
    made: Json = {"file": str(file), "object": shelf.address(file.name), "told": span.told()}
    if given.check:
        print(json.dumps(made))
        return
    dashboard = json.loads(given.panels.read_text())
    panels, index = dashboard["panels"], Index(given.url, given.authority, given.user, password())
    ours = index.answers(panels, span)
    theirs = index.answers(as_before(panels, ours), span.before)
    content = {
        "title": dashboard["title"],
        "name": given.name,
        "period": span.told(),
        "before": span.before.told(),
        "made": minute(now),
        "nothing_before": not any(answer["doc_count"] for answer in theirs),
        "partial": span.end < span.whole_end,
        "panels": view(panels, ours, theirs, span),
    }
    events = sum(answer["doc_count"] for answer in ours)
    # An index that was lost must not empty the page that was made of it, neither here nor there.
    if not events and shelf.events(file.name):
        raise SystemExit(
            f"The index has nothing of this time, but {shelf.address(file.name)} shows events of it, and stays."
            " Was the index lost? Restore it, or remove that page."
        )
    file.write_text(page(given.template, content), encoding="utf-8")
    shelf.keep(file, events)
    made["events"] = events
    if given.link_hours:  # a journal is no place for it
        until = now + timedelta(hours=given.link_hours)
        made |= {"link": shelf.link(file.name, given.link_hours), "link_until": minute(until)}
    print(json.dumps(made))


if __name__ == "__main__":
    main()
