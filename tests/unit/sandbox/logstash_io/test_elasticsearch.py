# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from logstash_standin.config import ConfigurationError
from logstash_standin.event import Event
from logstash_standin.plugins import PluginError
from logstash_standin.plugins.base import AbortedBatch
from logstash_standin.plugins.outputs.elasticsearch import Elasticsearch

from .conftest import Stub, Workshop

OUTPUT = """
output {
  elasticsearch {
    hosts => ["${VEC_ES}"]
    action => "index"
    index => "events-%{+yyyy.MM.dd}"
    document_id => "%{id}"
    version => "%{[@metadata][version]}"
    version_type => "external_gte"
    user => "writer"
    password => "secret"
    manage_template => false
    ilm_enabled => false
    data_stream => false
    silence_errors_in_log => ["version_conflict_engine_exception"]
  }
}
"""
Start = Callable[[dict[str, Any]], Stub]


def output(workshop: Workshop, text: str = OUTPUT) -> Elasticsearch:
    [plugin] = workshop.plugins("output", text)
    assert isinstance(plugin, Elasticsearch)
    return plugin


def event(identifier: str) -> Event:
    return Event({"id": identifier, "@timestamp": "2024-05-01T12:00:00Z", "@metadata": {"version": 7}})


def test_an_action_carries_id_version_and_user(workshop: Workshop, stub: Start) -> None:
    server = stub({})
    plugin = output(workshop)
    plugin.register()
    plugin.receive([event("a")])
    [[action, document]] = server.bulks
    assert action["index"] == {
        "_id": "a",
        "_index": "events-2024.05.01",
        "routing": None,
        "version": "7",
        "version_type": "external_gte",
    }
    assert document["id"] == "a"
    assert server.headers["authorization"] == "Basic d3JpdGVyOnNlY3JldA=="


def test_a_silenced_conflict_is_dropped_without_a_word(
    workshop: Workshop, stub: Start, caplog: pytest.LogCaptureFixture
) -> None:
    server = stub({"items_by_id": {"a": [409]}})
    plugin = output(workshop)
    plugin.register()
    plugin.receive([event("a"), event("b")])
    assert len(server.bulks) == 1
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


@pytest.mark.parametrize("status, reason", [(401, "credentials"), (403, "privileges")])
def test_it_does_not_start_when_it_is_locked_out(workshop: Workshop, stub: Start, status: int, reason: str) -> None:
    stub({"root_http": [status] * 9})
    with pytest.raises(ConfigurationError, match=f"Please check the {reason}"):
        output(workshop).register()


def test_it_waits_for_an_elasticsearch_that_comes_later(
    workshop: Workshop, stub: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("logstash_standin.plugins.outputs.elasticsearch.RESURRECT_DELAY", 0)
    server = stub({})
    workshop.variables["VEC_ES"] = "http://127.0.0.1:1"
    plugin = output(workshop)
    plugin.register()
    monkeypatch.setattr(
        workshop.stop, "wait", lambda _seconds: plugin.dead.append(f"http://127.0.0.1:{server.server_port}")
    )
    plugin.receive([event("a")])
    assert len(server.bulks) == 1


def test_it_comes_back_to_a_host_that_dropped_a_call(
    workshop: Workshop, stub: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("logstash_standin.plugins.outputs.elasticsearch.RESURRECT_DELAY", 0)
    server = stub({"bulk_drop": [True]})
    plugin = output(workshop)
    plugin.register()
    plugin.receive([event("a")])
    assert server.calls.count("HEAD /") == 2
    assert len(server.bulks) == 2


@pytest.mark.parametrize("queue", ["memory", "persisted"])
def test_a_stop_gives_up_a_batch_that_is_refused_as_a_whole(workshop: Workshop, stub: Start, queue: str) -> None:
    stub({"bulk_http": [503] * 9})
    workshop.settings["queue.type"] = queue
    plugin = output(workshop)
    plugin.register()
    workshop.stop.set()
    with pytest.raises(AbortedBatch):
        plugin.receive([event("a")])


def test_a_stop_gives_up_refused_events_only_if_the_queue_keeps_them(workshop: Workshop, stub: Start) -> None:
    server = stub({"items_by_id": {"a": [403, 403, 201], "b": [403, 403, 201]}})
    workshop.stop.set()
    plugin = output(workshop)
    plugin.register()
    plugin.receive([event("a")])
    assert len(server.bulks) == 3
    workshop.settings["queue.type"] = "persisted"
    plugin = output(workshop)
    plugin.register()
    with pytest.raises(AbortedBatch):
        plugin.receive([event("b")])


@pytest.mark.parametrize("setting", ['api_key => "x"', "manage_template => true", 'action => "update"'])
def test_what_the_stand_in_does_not_do_is_refused(workshop: Workshop, setting: str) -> None:
    workshop.variables["VEC_ES"] = "http://127.0.0.1:1"
    name = setting.split()[0]
    kept = [line for line in OUTPUT.splitlines() if not line.strip().startswith(name)]
    kept.insert(3, setting)
    with pytest.raises(PluginError):
        output(workshop, "\n".join(kept))
