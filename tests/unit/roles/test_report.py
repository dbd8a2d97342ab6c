# SPDX-License-Identifier: GPL-3.0-or-later
"""What the report asks, and what it makes of the answers."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import boto3
import pytest
import yaml
from botocore.stub import Stubber

from tests.unit.templates.index.test_index import MAPPED

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = ROOT / "roles" / "report" / "files" / "report.py"
DASHBOARD = yaml.safe_load((ROOT / "templates" / "dashboards" / "events.yml").read_text())
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
spec = importlib.util.spec_from_file_location("report", PROGRAM)
assert spec
assert spec.loader
report = importlib.util.module_from_spec(spec)
sys.modules["report"] = report
spec.loader.exec_module(report)

Made = Callable[..., dict[str, Any]]
LAST, LATER = date(2026, 11, 27), datetime(2026, 11, 28, 9, tzinfo=UTC)
DAY, WEEK, MONTH = (report.PERIODS[name] for name in ("day", "week", "month"))
# What each kind of field can be asked: https://www.elastic.co/docs/reference/elasticsearch/mapping-reference/field-data-types
CAN = {
    "terms": {"keyword", "short", "ip", "date"},
    "cardinality": {"keyword", "short", "ip"},
    "value_count": {"keyword", "short", "ip", "date", "float"},
    "percentiles": {"float", "short"},
    "auto_date_histogram": {"date"},
    "term": {"keyword", "short"},
    "range": {"date", "short", "float"},
}


def named(value: object) -> list[tuple[str, str]]:
    """Each use of a field in a query or an aggregation: by what, and which."""
    if isinstance(value, list):
        return [found for each in value for found in named(each)]
    if not isinstance(value, dict):
        return []
    found = []
    for kind, body in value.items():
        if kind in ("term", "range"):
            found += [(kind, field) for field in body]
        elif isinstance(body, dict) and "field" in body:
            found.append((kind, body["field"]))
        else:
            found += named(body)
    return found


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
class TestPanels:
    def test_each_field_is_in_the_mapping_and_can_do_what_is_asked(self, panel: dict[str, Any]) -> None:
        uses = named([panel["aggregation"], panel.get("query", {})])
        assert uses
        assert [use for use in uses if MAPPED[use[1]]["type"] not in CAN[use[0]]] == []

    def test_it_is_one_aggregation_and_a_chart_that_can_show_it(self, panel: dict[str, Any]) -> None:
        (kind,) = panel["aggregation"]
        charts = {"value_count": "number", "cardinality": "number", "auto_date_histogram": "line"}
        charts |= {"terms": "bars", "percentiles": "values"}
        assert panel["chart"] == charts[kind]
        assert panel.keys() <= {"title", "chart", "query", "aggregation", "note", "unit"}
        assert panel["aggregation"][kind].keys() <= {
            "field", "size", "missing", "precision_threshold", "buckets", "percents",
        }  # fmt: skip


def test_titles_are_told_apart() -> None:
    titles = [panel["title"] for panel in PANELS]
    assert len(titles) == len(set(titles))


@pytest.mark.parametrize(
    ("period", "span", "told"),
    [
        (DAY, ("2026-11-27", "2026-11-28"), "Friday, 27 November 2026"),
        (WEEK, ("2026-11-21", "2026-11-28"), "21 November to 27 November 2026"),
        (MONTH, ("2026-10-29", "2026-11-28"), "29 October to 27 November 2026"),
    ],
)
def test_a_period_is_whole_days(period: Any, span: tuple[str, str], told: str) -> None:  # noqa: ANN401 - of a program loaded by path
    since, until = (f"{day}T00:00:00+00:00" for day in span)
    whole = report.Span(period, LAST, LATER)
    assert report.question([], whole)["query"] == {"range": {"@timestamp": {"gte": since, "lt": until}}}
    assert whole.told() == told
    assert whole.before.end == whole.start


def test_a_period_that_is_not_over_is_compared_with_as_much_of_the_one_before() -> None:
    span = report.Span(WEEK, LATER.date(), LATER)
    assert (span.end, span.before.end) == (LATER, LATER - timedelta(days=7))


def test_a_period_over_the_turn_of_the_year_names_both() -> None:
    assert report.Span(WEEK, date(2027, 1, 3), LATER).told() == "28 December 2026 to 3 January 2027"


def asked(title: str, span: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
    (panel,) = [panel for panel in PANELS if panel["title"] == title]
    found: dict[str, Any] = report.question([panel], span)["aggs"]["0"]["aggs"]["panel"]
    return found


def test_all_intervals_of_the_period_are_asked_for() -> None:
    assert asked("Hits over time", report.Span(DAY, LAST, LATER))["date_histogram"] == {
        "field": "@timestamp",
        "fixed_interval": "1h",
        "min_doc_count": 0,
        "extended_bounds": {"min": "2026-11-27T00:00:00+00:00", "max": "2026-11-27T23:59:59.999+00:00"},
    }


def test_terms_are_counted_over_many_indices() -> None:
    assert asked("Pages", report.Span(MONTH, LAST, LATER))["terms"]["shard_size"] == 5000


def hours(day: date, *counts: int) -> dict[str, Any]:
    """The answer to a panel over time, from midnight on."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
    buckets = [{"key": 1000 * (midnight + 3600 * hour), "doc_count": count} for hour, count in enumerate(counts)]
    return {"doc_count": sum(counts), "panel": {"buckets": buckets}}


def test_both_lines_end_with_the_present_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = Mock(return_value="")
    monkeypatch.setattr(report, "draw", drawn)
    now, before = hours(LAST, 3, 5, 1, 0, 0), hours(LAST - timedelta(days=1), 2, 4, 6, 0, 0)
    until = datetime(2026, 11, 27, 2, 20, tzinfo=UTC)
    shown = report.line({}, now, before, report.Span(DAY, LAST, until))
    assert [row["label"] for row in shown["rows"]] == ["00:00", "01:00", "02:00, so far"]
    labels, lines, _ = drawn.call_args.args
    assert (len(labels), lines) == (5, [[2, 4, 6], [3, 5, 1]])


def test_a_time_before_without_events_is_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = Mock(return_value="")
    monkeypatch.setattr(report, "draw", drawn)
    shown = report.line({}, hours(LAST, 3, 5), hours(LAST - timedelta(days=1), 0, 0), report.Span(DAY, LAST, LATER))
    assert not shown["compared"]
    assert drawn.call_args.args[1] == [[], [3, 5]]
    assert [row["label"] for row in shown["rows"]] == ["00:00", "01:00"]


@pytest.mark.parametrize("before", [[], [4, 2, 1]])
def test_a_line_ends_at_its_last_point(before: list[int]) -> None:
    drawn = report.draw([f"{hour:02}:00" for hour in range(24)], [before, [3, 5, 1]], report.SIZES["desk"])
    paths = re.findall(r'<path d="M([^"]*)" class="line reactive', drawn)
    ends = {float(point.split()[0]) for path in paths for point in re.findall(r"[\d.]+ [\d.]+", path)}
    assert len(ends) == 3, "no point to the right of the last one"
    assert len(paths) == (3 if before else 2)
    assert len(re.findall(r'class="line reactive"[^>]*style="stroke: none"', drawn)) == 1


@pytest.mark.parametrize(("part", "told"), [(1, "<1 %"), (5, "<1 %"), (6, "1 %"), (250, "25 %"), (1000, "100 %")])
def test_a_share_of_some_is_not_nothing(part: int, told: str) -> None:
    assert report.share(part, 1000) == told


@pytest.mark.parametrize(
    ("most", "top"), [(1, 2), (3, 4), (7, 8), (9, 10), (10, 10), (11, 12), (99, 100), (130, 160), (1641, 2000)]
)
def test_a_chart_is_as_high_as_a_round_number(most: int, top: int) -> None:
    assert report.height(most) == top


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(1.234, "1.23 s"), (0.1, "0.1 s"), (0.0456, "46 ms"), (0.001, "1 ms"), (0.0, "under 1 ms")],
)
def test_a_short_time_is_told_in_milliseconds(seconds: float, told: str) -> None:
    assert report.measure(seconds, "s") == told


def test_addresses_go_without_their_scheme_where_they_are_told_apart() -> None:
    addresses = ["https://a.example/x", "HTTP://b.example/", "http://c.example", "https://c.example", "/https://d"]
    assert report.without_schemes(addresses) == [
        "a.example/x", "b.example/", "http://c.example", "https://c.example", "/https://d",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("now", "before", "told"),
    [(120, 100, "+20 %"), (80, 100, "−20 %"), (100, 100, "±0 %"), (5, 0, "new"), (0, 0, ""), (5, None, "")],  # noqa: RUF001 - the sign
)
def test_a_change_is_told_as_people_do(now: float, before: float | None, told: str) -> None:
    assert report.change(now, before) == told


def answer(panel: dict[str, Any], factor: int = 1) -> dict[str, Any]:
    """What Elasticsearch could say of a panel."""
    (kind,) = panel["aggregation"]
    found: dict[str, dict[str, Any]] = {
        "value_count": {"value": 1200 * factor},
        "cardinality": {"value": 7 * factor},
        "auto_date_histogram": {"buckets": [{"key": 1795737600000, "doc_count": 3 * factor}]},
        "terms": {
            "buckets": [{"key": "<b>", "doc_count": 90 * factor}, {"key": "b", "doc_count": 30}],
            "sum_other_doc_count": 4,
        },
        "percentiles": {"values": {"50.0": 0.0123 * factor, "99.0": None}},
    }
    return {"doc_count": 120 * factor, "panel": found[kind]}


def shown(panels: list[dict[str, Any]], earlier: list[dict[str, Any]] | None = None) -> str:
    now, before = [answer(panel, 2) for panel in panels], earlier or [answer(panel) for panel in panels]
    content = {"title": "T", "name": "n", "period": "p", "before": "b", "made": "m", "partial": False}
    content["nothing_before"] = earlier is not None
    page: str = report.page(
        PROGRAM.with_name("report.html.j2"),
        {**content, "panels": report.view(panels, now, before, report.Span(DAY, LAST, LATER))},
    )
    return page


def test_a_page_shows_each_panel_and_its_change() -> None:
    page = shown(PANELS)
    assert [panel["title"] for panel in PANELS if f"<h2>{panel['title']}</h2>" not in page] == []
    for said in ("2\u202f400", "+100 %", "75 %", "25 ms", "all others together", ">2 %<"):
        assert said in page


def test_without_anything_before_nothing_is_kept_free_for_changes() -> None:
    empty = [{"doc_count": 0, "panel": {"buckets": [], "values": {}}} for _ in PANELS]
    page = shown(PANELS, empty)
    assert "There is nothing of b to compare with." in page
    assert "the day before" not in page
    assert page.count("nothing before") == len([panel for panel in PANELS if panel["chart"] == "number"])
    assert '<td class="change">' not in page
    assert '<td class="change">' in shown(PANELS)


def test_of_an_address_that_is_shown_in_short_the_whole_can_be_had() -> None:
    (panel,) = [panel for panel in PANELS if panel["title"] == "Where they came from"]
    found = {"doc_count": 1, "panel": {"buckets": [{"key": "https://a.example/", "doc_count": 1}]}}
    (row,) = report.bars(panel, found, found, report.Span(DAY, LAST, LATER))["rows"]
    assert (row["label"], row["name"]) == ("a.example/", "https://a.example/")


def test_a_page_needs_nothing_from_elsewhere_and_runs_nothing() -> None:
    page = shown(PANELS)
    assert "<script" not in page
    assert [word for word in ("src=", "@import", "url(", "<link") if word in page] == []


def test_what_visitors_send_is_text() -> None:
    assert "<b>" not in shown(PANELS)
    assert "&lt;b&gt;" in shown(PANELS)


def test_a_panel_without_events_says_so() -> None:
    panels = [panel for panel in PANELS if panel["chart"] != "number"]
    nothing: dict[str, Any] = {"buckets": [], "values": {"50.0": None}, "sum_other_doc_count": 0}
    empty = [{"doc_count": 0, "panel": nothing} for _ in panels]
    assert [panel["empty"] for panel in report.view(panels, empty, empty, report.Span(DAY, LAST, LATER))] == [
        True
    ] * len(panels)


def test_of_terms_those_that_are_shown_are_compared() -> None:
    (panel,) = report.as_before([PANELS[5]], [answer(PANELS[5])])
    assert panel["aggregation"]["terms"]["include"] == ["<b>", "b"]
    assert json.dumps(PANELS[5]["aggregation"]).count("include") == 0


NAME = "analytics-day-2026-11-27.html"
KEY = f"reports/{NAME}"


@pytest.fixture
def stubbed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    s3 = boto3.client("s3", region_name="eu-central-1", aws_access_key_id="a", aws_secret_access_key="b")
    monkeypatch.setattr(report.boto3, "client", lambda *_, **__: s3)
    with Stubber(s3) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Made:
    """The program on an index with so many events in each panel, and what it says in the end."""
    panels = tmp_path / "panels.json"
    panels.write_text(json.dumps({"title": "T", "panels": PANELS}))
    where = {"panels": panels, "template": PROGRAM.with_name("report.html.j2"), "folder": tmp_path}
    names = {"name": "analytics", "url": "https://es", "authority": "a", "user": "u", "bucket": "b", "region": "r"}
    given = [f"--{name}={value}" for name, value in {**where, **names}.items()]
    monkeypatch.setattr(report, "password", lambda: "secret")

    def run(events: int, *arguments: str) -> dict[str, Any]:
        index = Mock(spec=report.Index)
        empty: dict[str, Any] = {"doc_count": 0, "panel": {"buckets": [], "values": {}}}
        index.answers.return_value = [answer(panel, events) if events else empty for panel in PANELS]
        monkeypatch.setattr(report, "Index", Mock(return_value=index))
        monkeypatch.setattr(sys, "argv", ["report.py", *given, *arguments, "day"])
        report.main()
        said: dict[str, Any] = json.loads(capsys.readouterr().out)
        return said

    return run


def listed(stubbed: Stubber, **metadata: str) -> None:
    """The bucket has that page."""
    stubbed.add_response("list_objects_v2", {"Contents": [{"Key": KEY}]}, {"Bucket": "b", "Prefix": KEY})
    stubbed.add_response("head_object", {"Metadata": metadata}, {"Bucket": "b", "Key": KEY})


class TestProgram:
    def test_a_page_of_nothing_replaces_none_of_something(self, stubbed: Stubber, made: Made, tmp_path: Path) -> None:
        (tmp_path / NAME).write_text("something")
        listed(stubbed, events="3")
        with pytest.raises(SystemExit, match=f"s3://b/{KEY} shows events of it, and stays"):
            made(0, "--last=2026-11-27")
        assert (tmp_path / NAME).read_text() == "something"

    def test_a_page_of_nothing_replaces_another_of_nothing(self, stubbed: Stubber, made: Made, tmp_path: Path) -> None:
        listed(stubbed, events="0")
        stubbed.add_response("put_object", {})
        made(0, "--last=2026-11-27")
        assert "Nothing in this time." in (tmp_path / NAME).read_text()

    def test_a_page_that_the_bucket_does_not_take_is_there_all_the_same(
        self, stubbed: Stubber, made: Made, tmp_path: Path
    ) -> None:
        stubbed.add_client_error("put_object", "AccessDenied")
        with pytest.raises(SystemExit, match=f"is made, but could not be kept as s3://b/{KEY}: .*AccessDenied"):
            made(1, "--last=2026-11-27")
        assert (tmp_path / NAME).exists()

    def test_it_says_what_it_made_and_until_when_its_link_is_good(self, stubbed: Stubber, made: Made) -> None:
        stubbed.add_response("put_object", {})
        said = made(1, "--last=2026-11-27", "--link-hours=1.5")
        until = datetime.strptime(said.pop("link_until"), "%Y-%m-%d %H:%M UTC").replace(tzinfo=UTC)
        assert timedelta(hours=1.45) < until - datetime.now(UTC) < timedelta(hours=1.55)
        assert KEY in said.pop("link")
        assert said.pop("events") > 0
        assert said == {
            "file": str(Path(said["file"]).with_name(NAME)),
            "object": f"s3://b/{KEY}",
            "told": "Friday, 27 November 2026",
        }

    @pytest.mark.usefixtures("stubbed")
    def test_a_check_says_what_would_be_made_and_touches_nothing(self, made: Made, tmp_path: Path) -> None:
        said = made(1, "--check", "--last=2026-11-27", "--link-hours=6")
        assert (Path(said["file"]), said["object"]) == (tmp_path / NAME, f"s3://b/{KEY}")
        assert not (tmp_path / NAME).exists()
        report.Index.assert_not_called()


@pytest.mark.parametrize(("told", "back"), [("today", 0), ("yesterday", 1)])
def test_the_last_two_days_have_names(told: str, back: int) -> None:
    before, found, after = datetime.now(UTC).date(), report.day(told), datetime.now(UTC).date()
    assert before <= found + timedelta(days=back) <= after
