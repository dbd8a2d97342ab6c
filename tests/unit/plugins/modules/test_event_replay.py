# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from unittest.mock import Mock

import pytest
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._elasticsearch import Client
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._errors import PipelineError
from ansible_collections.simple_analytics.pipeline.plugins.modules import event_replay

from tests.unit.plugins.module_utils.test__replay import FakeS3, archived

SPAN = {"from": "2026-11-24T12:00:00Z", "until": "2026-11-24T13:00:00Z"}


class FakeKinesis:
    """A stream of one open shard, which takes everything."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    def list_shards(self, **_: object) -> dict[str, t.Any]:
        ranges = {
            "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": "1"},
            "SequenceNumberRange": {"StartingSequenceNumber": "100"},
        }
        return {"Shards": [{"ShardId": "a", **ranges}]}

    def put_records(self, StreamName: str, Records: list[dict[str, t.Any]]) -> dict[str, t.Any]:  # noqa: N803 - boto3's
        self.taken += [record["PartitionKey"] for record in Records]
        return {"Records": [{"ShardId": "a"} for _ in Records]}


def ids(lines: list[t.Any]) -> list[str]:
    return [line["index"]["_id"] for line in lines[::2]]


def results(lines: list[t.Any], **statuses: int) -> dict[str, t.Any]:
    """The index takes all but these."""
    error = {"type": "of_a_kind", "reason": "because"}
    found = [{"_id": name, "status": statuses.get(name, 201), "error": error} for name in ids(lines)]
    return {"items": [{"index": each} for each in found]}


def run(
    s3: FakeS3,
    kinesis: FakeKinesis,
    client: Client | None = None,
    check_mode: bool = False,
    **options: t.Any,  # noqa: ANN401 - options of all types
) -> dict[str, t.Any]:
    module = Mock(spec_set=["params", "check_mode", "warn", "deprecate"], check_mode=check_mode)
    module.params = {
        **{"name": None, "events_bucket": "clean", "match": {}, "target": "stream", "stream": "events"},
        **{
            "index": "simple-analytics-events",
            "rate": 0,
            "retention_days": 0,
            "wait": True,
            "wait_timeout": 300,
            "wait_sleep": 5,
        },
        **SPAN,
        **options,
    }
    result: dict[str, t.Any] = event_replay.run(module, s3, kinesis, client)
    return result


@pytest.fixture
def s3() -> FakeS3:
    return FakeS3(**{"12/a": archived("a", "b", "c")})


class TestRun:
    def test_it_sends_and_the_second_run_does_nothing(self, s3: FakeS3) -> None:
        first, second = FakeKinesis(), FakeKinesis()
        result = run(s3, first)
        assert (result["changed"], result["done"], result["events"]) == (True, True, 3)
        assert first.taken == ["a", "b", "c"]
        again = run(s3, second)
        assert (again["changed"], again["replay"], second.taken) == (False, result["replay"], [])

    def test_what_is_archived_later_is_sent_by_the_same_call(self, s3: FakeS3) -> None:
        run(s3, FakeKinesis())
        s3.objects[f"{next(iter(s3.objects))}-later.gz"] = archived("d")
        kinesis = FakeKinesis()
        result = run(s3, kinesis)
        assert (result["changed"], result["events"], kinesis.taken) == (True, 4, ["d"])

    def test_the_longest_times_are_times(self, s3: FakeS3) -> None:
        result = run(s3, FakeKinesis(), until="9999-12-31T23:59:59Z", retention_days=10**11)
        assert (result["done"], result["events"]) == (True, 3)

    def test_a_manifest_that_is_none_is_named(self, s3: FakeS3) -> None:
        result = run(s3, FakeKinesis())
        s3.objects[result["manifest"].removeprefix("s3://clean/")] = b"{"
        with pytest.raises(PipelineError, match=f"{result['manifest']} is no manifest of a replay"):
            run(s3, FakeKinesis())

    def test_a_check_counts_and_sends_nothing(self, s3: FakeS3) -> None:
        kinesis, before = FakeKinesis(), dict(s3.objects)
        result = run(s3, kinesis, check_mode=True, rate=1)
        assert (result["changed"], result["done"], result["events"]) == (True, False, 0)
        assert (result["left"], result["duration"]) == (3, 3)
        assert result["summary"] == "0 of 1 objects, 0 events"
        assert result["bytes"] > 3 * len('{"event":{"id":"a"}}')
        assert (kinesis.taken, s3.objects) == ([], before)

    def test_a_check_of_a_finished_one_has_nothing_to_send(self, s3: FakeS3) -> None:
        run(s3, FakeKinesis())
        result = run(s3, FakeKinesis(), check_mode=True)
        assert (result["changed"], result["done"], result["events"], result["left"]) == (False, True, 3, 0)

    def test_a_check_names_what_breaks_off(self, s3: FakeS3) -> None:
        s3.objects["events/dt=2026-11-24/hour=12/b.gz"] = archived("d")[:-9]
        assert run(s3, FakeKinesis(), check_mode=True)["unreadable"] == ["clean/events/dt=2026-11-24/hour=12/b.gz"]

    @pytest.mark.parametrize("rate, duration", [(0, None), (2, 2)])
    def test_how_long_the_index_takes_is_not_known_without_a_rate(
        self, s3: FakeS3, rate: int, duration: int | None
    ) -> None:
        result = run(s3, FakeKinesis(), Mock(spec=Client), check_mode=True, target="index", rate=rate)
        assert (result["left"], result["duration"]) == (3, duration)

    def test_the_index_is_asked_when_it_is_the_target(self, s3: FakeS3) -> None:
        kinesis, client = FakeKinesis(), Mock(spec=Client)
        client.bulk.return_value = {"items": [{"index": {"_id": "a", "status": 409}}]}
        result = run(s3, kinesis, client, target="index")
        assert (result["done"], result["older"], kinesis.taken) == (True, 1, [])

    def test_what_the_index_refused_is_tried_again_by_the_same_call(self, s3: FakeS3) -> None:
        s3.objects["events/dt=2026-11-24/hour=12/b.gz"] = archived("d")
        client = Mock(spec=Client)
        client.bulk.side_effect = lambda lines: results(lines, a=400, b=409)
        first = run(s3, FakeKinesis(), client, target="index")
        assert (first["done"], first["refused"], first["older"], first["events"]) == (True, 1, 1, 4)
        assert first["reasons"] == {"a": "of_a_kind: because"}

        client.bulk.side_effect = lambda lines: results(lines, b=409)
        second = run(s3, FakeKinesis(), client, target="index")
        assert (second["changed"], second["done"], second["older"], second["events"]) == (True, True, 1, 4)
        assert (second["refused"], second["reasons"]) == (0, {})
        assert ids(client.bulk.call_args.args[0]) == ["a", "b", "c"]

        client.bulk.reset_mock()
        assert run(s3, FakeKinesis(), client, target="index")["changed"] is False
        client.bulk.assert_not_called()

    @pytest.mark.parametrize(
        "options, sentence",
        [
            ({"from": SPAN["until"]}, "from '2026-11-24T13:00:00Z' is no earlier than until '2026-11-24T13:00:00Z'"),
            ({"from": "30d"}, "'30d' is no time: say 2026-11-24T18:00:00Z, or seconds since 1970"),
            ({"until": "2026-11-24"}, "'2026-11-24' has no time zone"),
            ({"from": "9026-01-01T00:00:00Z", "until": "9026-01-02T00:00:00Z"}, "from '9026.*' lies .* in the future"),
            ({"rate": -4}, "rate is -4; it is 0 or more"),
            ({"name": "../../x y"}, "name '../../x y' is none"),
            ({"retention_days": 1}, "'2026-11-24T12:00:00Z' is a day whose index is removed after 1 days"),
        ],
    )
    def test_a_question_that_is_none_is_refused(self, s3: FakeS3, options: dict[str, t.Any], sentence: str) -> None:
        with pytest.raises(PipelineError, match=sentence):
            run(s3, FakeKinesis(), **options)

    def test_one_name_is_one_question(self, s3: FakeS3) -> None:
        run(s3, FakeKinesis(), name="mine")
        with pytest.raises(PipelineError, match=r"'mine' was asked for match .* and not .'event.action': 'view'"):
            run(s3, FakeKinesis(), name="mine", match={"event.action": "view"})
