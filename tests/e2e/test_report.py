# SPDX-License-Identifier: GPL-3.0-or-later
"""The report, as somebody sees it in a browser."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from selenium import webdriver
from selenium.webdriver.common.by import By

from sandbox.local import NAME

from .conftest import ROOT, Landscape

PANELS: list[dict[str, Any]] = yaml.safe_load((ROOT / "templates/dashboards/events.yml").read_text())["panels"]
SIZES = {"desk": (1280, 900), "phone": (390, 844)}
READABLE = 4.5  # contrast of small text: https://www.w3.org/TR/WCAG21/#contrast-minimum


@pytest.fixture(scope="module")
def today() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d}"


@pytest.fixture(scope="module")
def page(landscape: Landscape, today: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    landscape.playbook("report", "-e", f"report_last={today}", folder=folder)
    (found,) = folder.iterdir()
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    with webdriver.Chrome(options, webdriver.ChromeService("/usr/bin/chromedriver")) as driver:
        yield driver


@pytest.fixture(scope="module")
def answers(landscape: Landscape, today: str) -> dict[str, Any]:
    """What each panel is about, straight from the index."""
    day = {"range": {"@timestamp": {"gte": f"{today}T00:00:00Z", "lte": f"{today}T23:59:59.999Z"}}}
    aggregations = {
        panel["title"]: {
            "filter": panel.get("query", {"match_all": {}}),
            "aggs": {"panel": panel["aggregation"]},
        }
        for panel in PANELS
    }
    body = {"size": 0, "query": day, "aggs": aggregations}
    found: dict[str, Any] = landscape.elasticsearch("reader", "/simple-analytics-events/_search", "POST", body)
    return {title: answer["panel"] for title, answer in found["aggregations"].items()}


def plain(text: str) -> str:
    return text.replace("\N{NARROW NO-BREAK SPACE}", "")


def in_words(seconds: float) -> str:
    if seconds < 0.001:
        return "under 1 ms"
    return f"{seconds:.3g} s" if seconds >= 0.1 else f"{1000 * seconds:.0f} ms"


def show(browser: webdriver.Chrome, page: Path, size: str, scheme: str = "light") -> None:
    """As on a screen of that size, to somebody who prefers that scheme."""
    width, height = SIZES[size]
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == "phone"}
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.get(page.as_uri())


def brightness(color: str) -> float:
    """Relative luminance of `rgb(…)`: https://www.w3.org/TR/WCAG21/#dfn-relative-luminance"""
    parts = [int(part) / 255 for part in re.findall(r"\d+", color)[:3]]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_by_day_and_by_night(scheme: str, page: Path, browser: webdriver.Chrome) -> None:
    show(browser, page, "desk", scheme)
    section = browser.find_element(By.TAG_NAME, "section")
    paper = brightness(section.value_of_css_property("background-color"))
    assert (paper > 0.5) == (scheme == "light")
    for name in ("h2", "text", "td", "p"):
        for drawn in browser.find_elements(By.CSS_SELECTOR, f"section {name}"):
            if drawn.is_displayed() and drawn.text:
                ink = drawn.value_of_css_property("fill" if name == "text" else "color")
                darker, lighter = sorted((paper, brightness(ink)))
                assert (lighter + 0.05) / (darker + 0.05) >= READABLE, (name, drawn.text, ink)


@pytest.mark.parametrize("size", SIZES)
def test_every_panel_shows_its_numbers(
    size: str, page: Path, browser: webdriver.Chrome, answers: dict[str, Any]
) -> None:
    show(browser, page, size)
    sections = {
        section.find_element(By.TAG_NAME, "h2").text: section
        for section in browser.find_elements(By.TAG_NAME, "section")
    }
    assert list(sections) == [panel["title"] for panel in PANELS]
    for panel in PANELS:
        section = sections[panel["title"]]
        text = plain(section.text)
        if panel["chart"] == "line":
            (chart,) = [drawn for drawn in section.find_elements(By.TAG_NAME, "svg") if drawn.is_displayed()]
            assert chart.size["width"] > 0.8 * section.size["width"]
            assert "12:00" in chart.text
            hours = section.find_elements(By.CSS_SELECTOR, "td.value")
            counts = [int(plain(hour.get_attribute("textContent") or "")) for hour in hours]
            assert sum(counts) == sum(bucket["doc_count"] for bucket in answers[panel["title"]]["buckets"])
        elif panel["chart"] == "number":
            assert str(round(answers[panel["title"]]["value"])) in text.split()
        elif panel["chart"] == "values":
            times = [in_words(value) for value in answers[panel["title"]]["values"].values()]
            assert [time for time in times if time not in text] == []
        else:
            buckets = answers[panel["title"]]["buckets"]
            shown = [row.text for row in section.find_elements(By.CSS_SELECTOR, "tr:not(.others)")]
            assert len(shown) == len(buckets)
            for bucket, row in zip(buckets, shown, strict=True):
                assert str(bucket["doc_count"]) in plain(row).split(), (panel["title"], bucket, row)
                name = re.sub("^https?://", "", str(bucket.get("key_as_string", bucket["key"])))
                assert name in row, "it can be read whole"
    width = browser.execute_script("return [document.documentElement.scrollWidth, window.innerWidth]")
    assert width[0] <= width[1], "it can be scrolled sideways"
    assert browser.get_log("browser") == []  # type: ignore[no-untyped-call]


def test_the_bucket_has_it_and_a_timers_unit_makes_it(landscape: Landscape, page: Path) -> None:
    bucket = landscape.outputs["EventsBucketName"]
    kept = landscape.s3.get_object(Bucket=bucket, Key=f"reports/{page.name}")["Body"].read()
    assert kept == page.read_bytes()
    on_the_host = ["podman", "exec", "consumer-1", "systemctl"]
    subprocess.run([*on_the_host, "start", "simple-analytics-report@week.service"], check=True, capture_output=True)
    found = landscape.s3.list_objects_v2(Bucket=bucket, Prefix=f"reports/{NAME}-week-")
    assert found["KeyCount"] >= 1
    timers = subprocess.run([*on_the_host, "list-timers", "--output=json"], check=True, capture_output=True, text=True)
    names = {timer["unit"] for timer in json.loads(timers.stdout)}
    assert names >= {f"simple-analytics-report-{period}.timer" for period in ("day", "week", "month")}
