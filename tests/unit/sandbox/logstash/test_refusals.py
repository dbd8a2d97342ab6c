# SPDX-License-Identifier: GPL-3.0-or-later
"""What the stand-in does not know is an error that names it, never ignored."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from logstash_standin import plugin_manager
from logstash_standin.cli import main
from logstash_standin.event import Event, EventError

INPUT = "input { stdin { codec => line } }"
OUTPUT = "output { stdout { codec => json_lines } }"


@pytest.fixture(autouse=True)
def loggers() -> Iterator[None]:
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def check(directory: Path, config: str, settings: str = "") -> int:
    (directory / "logstash.yml").write_text(f"allow_superuser: true\n{settings}")
    return main(["--path.settings", str(directory), "--path.data", str(directory / "data"), "-t", "-e", config])


@pytest.mark.parametrize(
    "config, said",
    [
        ("filter { grok { } }", "Couldn't find any filter plugin named 'grok'"),
        ('filter { mutate { rename => { "a" => "b" } } }', "Unknown setting 'rename' for mutate"),
        ('filter { useragent { source => "a" prefix => "p" } }', "Unknown setting 'prefix' for useragent"),
        ("filter { useragent { } }", "source => # SETTING MISSING"),
        ('filter { useragent { source => [ "a", "b" ] } }', 'Expected string, got ["a", "b"]'),
        ('filter { ruby { script_params => "a" code => "1" } }', "must contain an even number of items, got 1"),
        ('filter { ruby { path => "/nowhere.rb" } }', "File does not exist or cannot be opened /nowhere.rb"),
        ('filter { useragent { source => "a" target => "[b" } }', 'Expected a valid field reference, got `"[b"`'),
        ("input { stdin { codec => rubydebug } }", "Couldn't find any codec plugin named 'rubydebug'"),
        ('input { stdin { codec => line { charset => "CP1252" } } }', "Unknown setting 'charset' for line"),
        ("filter { if [a] > 1 { mutate { } } }", "not `[a] > 1` (config_string, line 1, column 13)"),
        ('filter { if [a] == "b" and [c] { mutate { } } }', 'not `[a] == "b" and [c]`'),
        ('filter { if [a] == [ "b", "c" ] { mutate { } } }', 'not `[ "b", "c" ]`'),
        ('filter { if "a" { mutate { } } }', 'not `"a"`'),
        ("filter { mutate { add_field => { 5 => 6 } } }", "A hash's key must be a text: 5"),
        ('filter { mutate { id => "a" id => "b" } }', "The setting id is written twice"),
    ],
)
def test_a_configuration_that_it_cannot_execute(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], config: str, said: str
) -> None:
    assert check(tmp_path, config) == 1
    assert said in capfd.readouterr().err


@pytest.mark.parametrize(
    "settings, said",
    [
        ("nosuch.setting: 1", 'Setting "nosuch.setting" doesn\'t exist'),
        ("config.reload.automatic: true", 'Setting "config.reload.automatic" doesn\'t exist'),
        ("queue.max_bytes: much", "Unparseable filesize: much"),
        ("queue.drain: perhaps", "could not coerce perhaps into a boolean"),
    ],
)
def test_a_setting_that_it_does_not_know(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], settings: str, said: str
) -> None:
    assert check(tmp_path, f"{INPUT} {OUTPUT}", settings) == 1
    assert said in capfd.readouterr().err


@pytest.mark.parametrize(
    "listed, said",
    [
        ("", "file is empty"),
        ("pipeline.id: one", "must contain an array"),
        (
            "- api.http.port: 1",
            'ArgumentError, message: "Only pipeline related settings are expected. Received \\"api.http.port',
        ),
    ],
)
def test_a_list_of_pipelines_that_it_cannot_take(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], listed: str, said: str
) -> None:
    (tmp_path / "logstash.yml").write_text("allow_superuser: true\n")
    (tmp_path / "pipelines.yml").write_text(listed)
    assert main(["--path.settings", str(tmp_path), "-t"]) == 1
    assert said in capfd.readouterr().err


def test_an_argument_that_it_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--config.reload.automatic"])
    assert stop.value.code == 1
    assert "ERROR: Unrecognised option '--config.reload.automatic'" in capsys.readouterr().err


def test_a_date_pattern_that_it_does_not_know() -> None:
    with pytest.raises(EventError, match="Illegal pattern component: EEE"):
        Event().sprintf("%{+EEE}")
    with pytest.raises(EventError, match=r"java\.time"):
        Event().sprintf("%{{yyyy}}")


class TestPlugins:
    @pytest.fixture(autouse=True)
    def record(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(plugin_manager, "RECORD", tmp_path / "installed-plugins.json")

    @pytest.mark.parametrize(
        "arguments",
        [
            ["--version", "2.3.0", "logstash-input-kinesis"],
            ["https://mirror.example.org/packs/logstash-input-kinesis-2.3.0.zip"],
        ],
    )
    def test_the_kinesis_input_is_listed_once_installed(
        self, capsys: pytest.CaptureFixture[str], arguments: list[str]
    ) -> None:
        plugin_manager.main(["list", "--verbose"])
        before = capsys.readouterr().out.splitlines()
        assert plugin_manager.main(["install", *arguments]) == 0
        capsys.readouterr()
        plugin_manager.main(["list", "--verbose"])
        assert [*before, "logstash-input-kinesis (2.3.0)"] == capsys.readouterr().out.splitlines()
        assert "logstash-input-s3 (bundled)" in before

    @pytest.mark.parametrize("arguments", [["logstash-input-kinesis"], ["--version", "1.0", "logstash-input-jdbc"]])
    def test_no_other_is_installed(self, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
        assert plugin_manager.main(["install", *arguments]) == 1
        assert arguments[-1] in capsys.readouterr().err
