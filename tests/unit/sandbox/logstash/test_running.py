# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in as a process: signals, queues that outlive a kill, the monitoring API, and a plugin's failure."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

STANDIN = Path(__file__).parents[4] / "sandbox" / "logstash"
SETTINGS = "allow_superuser: true\npipeline.workers: 1\napi.http.port: 19600-19700\n"
COUNT = """
def filter(event)
  event.set("seen", true)
  [event]
end
"""
SLOW = """
def filter(event)
  sleep 0.02
  [event]
end
"""
STRIP = """
def filter(event)
  event.remove("@version")
  [event]
end
"""
NUMBERED = """
require "logstash/outputs/base"

class LogStash::Outputs::Numbered < LogStash::Outputs::Base
  config_name "numbered"
  config :file, :validate => :string, :required => true
  config :first, :validate => :number, :default => 1

  def register
    @file = File.open(@file, "a")
  end

  def multi_receive(events)
    events.each.with_index(@first) do |event, number|
      @file.puts("#{number} #{event.sprintf('%{message}')} #{event.to_json}")
    end
  end

  def close
    @file.close
  end
end
"""
STUCK = """
require "logstash/outputs/base"

class LogStash::Outputs::Stuck < LogStash::Outputs::Base
  config_name "stuck"

  def multi_receive(events)
    logger.warn("Sending again", :count => events.size)
    sleep 0.05 until pipeline_shutdown_requested?
    raise Java::OrgLogstashExecution::AbortedBatchException.new
  end
end
"""
Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the stand-in on the files given, in a folder that later starts share."""
    processes = []

    def start(*arguments: str, settings: str = "", **files: str) -> subprocess.Popen[bytes]:
        for name, text in files.items():
            (tmp_path / name.replace("_", ".")).write_text(text)
        (tmp_path / "logstash.yml").write_text(SETTINGS + settings)
        command = [
            sys.executable,
            "-m",
            "logstash_standin.cli",
            "--path.settings",
            ".",
            "--path.data",
            "data",
            *arguments,
        ]
        process = subprocess.Popen(
            command,
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(STANDIN)},
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def pipeline(script: str = "", codec: str = 'line { format => "%{message}" }') -> str:
    ruby = f'filter {{ ruby {{ path => "{script}" }} }}' if script else ""
    return f"input {{ stdin {{ codec => line }} }} {ruby} output {{ stdout {{ codec => {codec} }} }}"


def await_log(process: subprocess.Popen[bytes], text: str) -> str:
    assert process.stderr
    for line in process.stderr:
        if text in line.decode():
            return line.decode()
    raise AssertionError(f"{text} was never logged")


def send(process: subprocess.Popen[bytes], text: str) -> None:
    assert process.stdin
    process.stdin.write(text.encode())
    process.stdin.flush()


def ask(port: int, path: str) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path)
    answer: dict[str, Any] = json.load(connection.getresponse())
    return answer


def test_a_stop_writes_what_was_taken_in_while_standard_input_is_open(start: Start) -> None:
    process = start("-f", "main.conf", main_conf=pipeline())
    send(process, "one\ntwo\nlast\n")
    assert process.stdout
    first = process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    rest, log = process.communicate(timeout=20)
    assert (first + rest, process.returncode) == (b"one\ntwo\nlast\n", 0)
    assert b"SIGTERM received" in log
    assert b"Logstash shut down." in log


def test_a_kill_loses_nothing_of_a_persisted_queue(start: Start) -> None:
    sent = [str(number) for number in range(300)]
    persisted = {
        "settings": "queue.type: persisted\npipeline.batch.size: 10\n",
        "main_conf": pipeline("slow.rb"),
        "slow_rb": SLOW,
    }
    process = start("-f", "main.conf", **persisted)
    send(process, "\n".join(sent) + "\n")
    assert process.stdout
    before = [process.stdout.readline().decode().strip()]
    process.kill()
    before += process.communicate()[0].decode().split()
    assert len(before) < 300

    persisted["settings"] += "queue.drain: true\n"
    process = start("-f", "main.conf", **persisted)
    after = process.communicate(b"own\n", timeout=60)[0].decode().split()
    assert process.returncode == 0
    repeated = len(before) + len(after) - 301
    assert 0 <= repeated <= 10, "only the batch in hand may come again"
    assert before[: len(before) - repeated] + after == [*sent, "own"]


def test_a_stop_without_drain_keeps_the_persisted_queue(start: Start) -> None:
    persisted = {
        "settings": "queue.type: persisted\npipeline.batch.size: 5\n",
        "main_conf": pipeline("slow.rb"),
        "slow_rb": SLOW,
    }
    process = start("-f", "main.conf", **persisted)
    written = process.communicate("".join(f"{number}\n" for number in range(100)).encode(), timeout=60)[0]
    assert process.returncode == 0
    assert 0 < len(written.split()) < 100

    process = start("-f", "main.conf", **persisted | {"settings": persisted["settings"] + "queue.drain: true\n"})
    rest = process.communicate(timeout=60)[0]
    assert [int(number) for number in (written + rest).split()] == list(range(100))


def test_a_filter_that_raises_ends_the_pipeline_while_its_input_is_open(start: Start) -> None:
    main = (
        "input { stdin { ecs_compatibility => disabled codec => json_lines } }"
        ' filter { useragent { source => "ua" } } output { stdout { codec => json_lines } }'
    )
    process = start("-f", "main.conf", main_conf=main)
    send(process, '{"n":1}\n')
    assert process.stdout
    assert json.loads(process.stdout.readline())["n"] == 1
    send(process, '{"n":2,"ua":5}\n')
    assert process.wait(timeout=20) == 0
    assert process.stdout.read() == b""


def test_the_api_tells_of_each_pipeline(start: Start) -> None:
    listed = """
- pipeline.id: read
  path.config: read.conf
  pipeline.batch.size: 500
  queue.type: persisted
  dead_letter_queue.enable: true
- pipeline.id: broken
  path.config: broken.conf
"""
    process = start(
        pipelines_yml=listed, read_conf=pipeline("count.rb"), count_rb=COUNT, broken_conf="filter { nosuch { } }"
    )
    port = int(re.findall(r"port: (\d+)", await_log(process, "started Logstash API endpoint"))[0])
    await_log(process, "Pipeline started")
    send(process, "one\ntwo\n")
    assert process.stdout
    assert process.stdout.readline() == b"one\n"
    assert process.stdout.readline() == b"two\n"

    root = ask(port, "/")
    assert root["status"] == "red"
    assert root["pipeline"] == {"workers": 1, "batch_size": 125, "batch_delay": 50}
    assert ask(port, "/_node/pipelines")["pipelines"]["read"]["batch_size"] == 500
    health = ask(port, "/_health_report")["indicators"]["pipelines"]["indicators"]
    assert {name: each["details"]["status"]["state"] for name, each in health.items()} == {
        "read": "RUNNING",
        "broken": "TERMINATED",
    }
    read = ask(port, "/_node/stats/pipelines")["pipelines"]["read"]
    assert read["events"]["in"] == 2
    assert read["queue"]["type"] == "persisted"
    assert read["dead_letter_queue"] == {"queue_size_in_bytes": 0, "dropped_events": 0}
    assert ask(port, "/_node/hot_threads")["status"] == 404


def in_ruby(directory: Path, name: str, source: str) -> str:
    """Lay an output out as `path.plugins` has it; the setting that names the folder."""
    folder = directory / "plugins" / "logstash" / "outputs"
    folder.mkdir(parents=True)
    (folder / f"{name}.rb").write_text(source)
    return f"path.plugins: {directory / 'plugins'}\n"


def test_an_output_in_ruby_gets_its_settings_and_events_as_scripts_left_them(start: Start, tmp_path: Path) -> None:
    plugins = in_ruby(tmp_path, "numbered", NUMBERED)
    filters = 'filter { ruby { path => "strip.rb" } ruby { path => "count.rb" } }'
    main = f'input {{ stdin {{ codec => line }} }} {filters} output {{ numbered {{ file => "out" first => "5" }} }}'
    process = start("-f", "main.conf", settings=plugins, main_conf=main, strip_rb=STRIP, count_rb=COUNT)
    process.communicate(b"one\ntwo\n", timeout=60)
    lines = [line.split(" ", 2) for line in (tmp_path / "out").read_text().splitlines()]
    assert [line[:2] for line in lines] == [["5", "one"], ["6", "two"]]
    assert sorted(json.loads(lines[0][2])) == ["@timestamp", "event", "host", "message", "seen"]


def test_an_output_in_ruby_has_its_settings_checked(start: Start, tmp_path: Path) -> None:
    plugins = in_ruby(tmp_path, "numbered", NUMBERED)
    process = start("-t", "-f", "main.conf", settings=plugins, main_conf="output { numbered { } }")
    assert "file => # SETTING MISSING" in process.communicate(timeout=60)[1].decode()
    assert process.returncode == 1


def test_a_stop_leaves_the_batch_of_a_stuck_output_in_the_queue(start: Start, tmp_path: Path) -> None:
    settings = in_ruby(tmp_path, "stuck", STUCK) + "queue.type: persisted\n"
    process = start("-f", "main.conf", settings=settings, main_conf="input { stdin { } } output { stuck { } }")
    send(process, "one\ntwo\n")
    await_log(process, "Sending again {count: ")
    process.send_signal(signal.SIGTERM)
    assert b"could not be delivered and stays in the queue" in process.communicate(timeout=20)[1]
    assert process.returncode == 0

    process = start("-f", "main.conf", settings=settings + "queue.drain: true\n", main_conf=pipeline())
    assert process.communicate(timeout=60)[0] == b"one\ntwo\n"


def test_a_folder_of_data_belongs_to_one_process(start: Start) -> None:
    first = start("-f", "main.conf", main_conf=pipeline())
    await_log(first, "Pipeline started")
    second = start("-f", "main.conf", main_conf=pipeline())
    log = second.communicate(timeout=20)[1].decode()
    assert second.returncode == 1
    assert "there is already another instance using the configured data directory" in log


def test_the_superuser_is_refused(start: Start) -> None:
    process = start("-t", "-f", "main.conf", main_conf=pipeline(), settings="allow_superuser: false\n")
    log = process.communicate(timeout=20)[1].decode()
    assert (process.returncode, "cannot be run as superuser" in log) == ((1, True) if os.geteuid() == 0 else (0, False))
