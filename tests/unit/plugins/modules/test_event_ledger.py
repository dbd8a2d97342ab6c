# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import re
import sqlite3
import typing as t
from unittest.mock import Mock

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._elasticsearch import Client, ElasticsearchError
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._errors import PipelineError
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._ledger import Hours, Ledger
from ansible_collections.simple_analytics.pipeline.plugins.modules import event_ledger

MINIMAL = {
    "logs_bucket": "logs",
    "logs_prefix": "cloudfront/",
    "events_bucket": "events",
    "index": "simple-analytics-events",
    "url": ["https://10.0.0.31:9200"],
    "username": "reader",
    "password": "secret",
    "region": "us-east-1",
}


def module(**params: object) -> Mock:
    """Only what `run` may use of the module."""
    fake = Mock(spec_set=["params", "check_mode", "warn", "deprecate"])
    defaults = {"from": None, "to": None, "pixel_path": "^/pixel$"}
    fake.params = {**defaults, **params}
    return fake


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether the ledger closes at one reading after another; open when there are no more."""
    closes: list[bool] = []

    def read(*_: object) -> dict[str, t.Any]:
        return {"closed": closes.pop(0) if closes else False}

    monkeypatch.setattr(event_ledger, "read", read)
    return closes


class TestRun:
    def test_a_span_that_is_no_time_is_an_error(self, readings: list[bool]) -> None:
        with pytest.raises(PipelineError, match="'yesterday'"):
            event_ledger.run(module(**{"from": "yesterday"}), Mock(), Mock(spec=Client))
        assert readings == []

    def test_a_path_that_is_no_expression_is_an_error(self, readings: list[bool]) -> None:
        with pytest.raises(PipelineError, match=r"pixel_path '\^\(/x'.*unterminated"):
            event_ledger.run(module(pixel_path="^(/x"), Mock(), Mock(spec=Client))
        assert readings == []


def test_a_reading_leaves_no_ledger_open(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Ledger] = []

    def keep(path: str) -> Ledger:
        opened.append(Ledger(path))
        return opened[-1]

    monkeypatch.setattr(event_ledger, "Ledger", keep)
    for store in ("read_delivered", "read_malformed", "read_ids", "read_index"):
        monkeypatch.setattr(event_ledger, store, Mock(return_value=0))
    event_ledger.read(
        {**MINIMAL, "open_hours": 24, "retention_days": 90}, re.compile(""), Hours(), Mock(), Mock(spec=Client)
    )
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        opened[0].hours()


def main(capsys: pytest.CaptureFixture[str], without: str = "", **params: object) -> dict[str, t.Any]:
    given = {name: value for name, value in {**MINIMAL, **params}.items() if name != without}
    with patch_module_args(given), pytest.raises(SystemExit):
        event_ledger.main()
    result: dict[str, t.Any] = json.loads(capsys.readouterr().out)
    return result


class TestMain:
    def test_it_never_changes_anything(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(event_ledger, "run", lambda *_: {"closed": True})
        result = main(capsys, _ansible_check_mode=True)
        assert (result["changed"], result["closed"]) == (False, True)

    def test_defaults(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        monkeypatch.setattr(event_ledger, "run", lambda module, *_: {"params": module.params})
        params = main(capsys)["params"]
        assert (params["open_hours"], params["retention_days"], params["pixel_path"]) == (24, 90, r"^/pixel\.gif$")

    @pytest.mark.parametrize("missing", ["logs_bucket", "logs_prefix", "events_bucket", "index", "url", "password"])
    def test_what_it_needs(self, missing: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert f"missing required arguments: {missing}" in main(capsys, without=missing)["msg"]

    @pytest.mark.parametrize(
        "error", [PipelineError("Failed to list s3://logs/: no"), ElasticsearchError("POST", "/x/_pit", "no", 403)]
    )
    def test_an_error_becomes_a_message(
        self, error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(event_ledger, "run", Mock(side_effect=error))
        result = main(capsys)
        assert (result["failed"], result["msg"]) == (True, str(error))
