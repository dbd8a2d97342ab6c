# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of one line."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from pathlib import Path
from urllib.parse import quote

import pytest

from .conftest import FIELDS, KEY, ROOT, SCRIPTS, Json, Scripts, line

ESCAPED = re.compile(rb"[\0-\x20\x7f-\xff<>\"#%{}|\\^~\[\]`']")
SECRET = "a secret of the store"


def logged(sent: str | bytes) -> str:
    """As CloudFront writes what a client sent."""
    raw = sent.encode() if isinstance(sent, str) else sent
    return ESCAPED.sub(lambda match: b"%%%02X" % match[0][0], raw).decode("ascii")


def as_json(payload: Json | list[int]) -> str:
    return logged(quote(json.dumps(payload, ensure_ascii=False)))


def as_base64(payload: Json) -> str:
    return "e=" + base64.urlsafe_b64encode(json.dumps(payload).encode()).decode().rstrip("=")


def event(scripts: Scripts, query: str = "event=view", *, key: str = KEY, fields: str = FIELDS, **options: str) -> Json:
    parameters = {
        name: options.pop(name) for name in ("source_ip", "referrer_query", "visitor_secret") if name in options
    }
    [event] = scripts.capture(line(fields, **{"cs-uri-query": query} | options), key=key, fields=fields, **parameters)
    assert event["@metadata"] == {"route": "event"}, event
    return event


def reason(scripts: Scripts, text: str, fields: str | None = FIELDS) -> str:
    [record] = scripts.capture(text, fields=fields)
    assert record["@metadata"] == {"route": "malformed"}, record
    return str(record["event"]["reason"])


class TestEvent:
    def test_holds_what_the_schema_says(self, scripts: Scripts) -> None:
        payload = {
            "event": "view",
            "url": "https://Shop.example:8443/cart?a=1#top",
            "referrer": "https://a.example/s?q=x",
        }
        left = event(scripts, as_json(payload), visitor_secret=SECRET)
        assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", left["event"].pop("ingested"))
        user = hmac.new(SECRET.encode(), b"2024-05-01\x00192.0.2.147\0Mozilla/5.0 (X11)", "sha256").hexdigest()
        assert left == {
            "@timestamp": "2024-05-01T12:00:01.000Z",
            "@metadata": {"route": "event"},
            "event": {"id": "request-1", "dataset": "simple_analytics.hit", "action": "view"},
            "url": {
                "original": "https://Shop.example:8443/cart?a=1#top",
                "scheme": "https",
                "domain": "shop.example",
                "path": "/cart",
                "query": "a=1",
            },
            "http": {"request": {"referrer": "https://a.example/s"}},
            "source": {"ip": "192.0.2.0"},
            "user": {"hash": user},
            "user_agent": {"original": "Mozilla/5.0 (X11)"},
            "cdn": {
                "edge_location": "FRA60-P4",
                "result_type": "Hit",
                "protocol": "https",
                "status": 200,
                "time_taken": 0.002,
            },
            "log": {"file": {"path": KEY}},
            "payload": payload,
        }

    def test_holds_no_more_than_an_old_line_tells(self, scripts: Scripts) -> None:
        fields = "date time cs-method cs-uri-stem cs-uri-query"
        left = event(scripts, "a=1", fields=fields)
        del left["event"]["ingested"]
        text = line(fields, **{"cs-uri-query": "a=1"})
        assert left == {
            "@timestamp": "2024-05-01T12:00:01.000Z",
            "@metadata": {"route": "event"},
            "event": {"id": hashlib.sha256(f"{KEY}\n{text}".encode()).hexdigest(), "dataset": "simple_analytics.hit"},
            "log": {"file": {"path": KEY}},
            "payload": {"a": "1"},
        }

    def test_reads_columns_by_name(self, scripts: Scripts) -> None:
        backwards = " ".join(reversed(FIELDS.split()))
        assert _timeless(event(scripts, fields=backwards)) == _timeless(event(scripts))

    @pytest.mark.parametrize("request_id", ["-", "", "x" * 257], ids=["absent", "empty", "too long"])
    def test_without_a_usable_request_id_is_named_by_its_line(self, scripts: Scripts, request_id: str) -> None:
        text = line(**{"x-edge-request-id": request_id})
        left = event(scripts, **{"x-edge-request-id": request_id})
        assert left["event"]["id"] == hashlib.sha256(f"{KEY}\n{text}".encode()).hexdigest()

    def test_has_the_same_id_with_and_without_a_line_end(self, scripts: Scripts) -> None:
        text = line(**{"x-edge-request-id": "-"})
        ids = {left["event"]["id"] for left in scripts.capture(text, text + "\n", text + "\r\n")}
        assert len(ids) == 1

    def test_status_000_of_a_client_that_went_away_is_a_number(self, scripts: Scripts) -> None:
        assert event(scripts, **{"sc-status": "000"})["cdn"]["status"] == 0

    @pytest.mark.parametrize("text", ["n/a", "1e3", "-1", "9" * 400])
    @pytest.mark.parametrize("column, name", [("sc-status", "status"), ("time-taken", "time_taken")])
    def test_lacks_numbers_that_are_none(self, scripts: Scripts, column: str, name: str, text: str) -> None:
        assert name not in event(scripts, **{column: text})["cdn"]

    @pytest.mark.parametrize("payload", [{"event": 5}, {"event": ""}, {"event": None}, {"url": ["x"]}])
    def test_takes_only_texts_out_of_the_payload(self, scripts: Scripts, payload: Json) -> None:
        left = event(scripts, as_json(payload))
        assert "action" not in left["event"]
        assert "url" not in left
        assert left["payload"] == payload

    def test_takes_the_time_from_the_line_alone(self, scripts: Scripts) -> None:
        assert event(scripts, "@timestamp=2001-01-01T00:00:00Z")["@timestamp"] == "2024-05-01T12:00:01.000Z"


def _timeless(left: Json) -> Json:
    del left["event"]["ingested"]
    return left


class TestPayload:
    @pytest.mark.parametrize(
        "query, payload",
        [
            (as_json({"t": 'Größe 50%, "a+b" \\ c', "n": 1.5}), {"t": 'Größe 50%, "a+b" \\ c', "n": 1.5}),
            (logged('{"t":"a+b","u":"%22"}'.replace("%22", "x")), {"t": "a+b", "u": "x"}),
            ("%7B%22single%22:%22a%20b%22%7D", {"single": "a b"}),
            (as_json({}), {}),
            (
                as_base64({"t": 'Größe 50%, "a+b"', "n": [1, None, True]}),
                {"t": 'Größe 50%, "a+b"', "n": [1, None, True]},
            ),
            (as_base64({"t": "??>>"}), {"t": "??>>"}),
            (as_base64({"a": 1}) + "%253D", {"a": 1}),
            ("a=1&b=two+words&c=a%252Bb&d=&e&a=2", {"a": "2", "b": "two words", "c": "a+b", "d": "", "e": ""}),
            ("e=1&f=2", {"e": "1", "f": "2"}),
            ("a=Gr%25C3%25B6%25C3%259Fe", {"a": "Größe"}),
            ("a=100%25&b=%25zz", {"a": "100%", "b": "%zz"}),
            ("a=x=y", {"a": "x=y"}),
            ("a[0]=1", {"a[0]": "1"}),
            ("&&a=1&", {"a": "1"}),
            ("a=%2500", {"a": "\0"}),
        ],
    )
    def test_comes_in_three_forms(self, scripts: Scripts, query: str, payload: Json) -> None:
        left = event(scripts, query)
        assert left["payload"] == payload
        assert "labels" not in left

    def test_8_kb_are_taken(self, scripts: Scripts) -> None:
        assert len(event(scripts, "a=" + "x" * 8190)["payload"]["a"]) == 8190

    def test_a_lone_surrogate_becomes_the_replacement_character(self, scripts: Scripts) -> None:
        query = logged(quote(r'{"cut":"x\ud83d","whole":"\ud83d\ude00","text":"\\ud83d"}'))
        assert event(scripts, query)["payload"] == {"cut": "x\ufffd", "whole": "\N{GRINNING FACE}", "text": r"\ud83d"}

    @pytest.mark.parametrize(
        "sent, payload",
        [
            ('{"a\\u0000b":1,"c":2}', {"json": '{"a\\u0000b":1,"c":2}'}),
            ('{"o":{"a\\u0000":1},"c":2}', {"o": '{"a\\u0000":1}', "c": 2}),
            ('{"n":' + "9" * 1500 + "}", {"n": "9" * 1500}),
            ('{"n":[1e999]}', {"n": ["Infinity"]}),
        ],
        ids=["NUL in a name", "NUL in a name inside", "number of 1500 digits", "number beyond all floats"],
    )
    def test_what_no_index_holds_becomes_a_string(self, scripts: Scripts, sent: str, payload: Json) -> None:
        left = event(scripts, logged(quote(sent)))
        assert left["payload"] == payload
        assert left["labels"] == {"payload": "stringified"}

    @pytest.mark.parametrize("opening, closing", [('{"a":', "}"), ("[", "]")])
    def test_what_lies_deeper_than_20_levels_becomes_a_string(
        self, scripts: Scripts, opening: str, closing: str
    ) -> None:
        left = event(scripts, logged(quote('{"a":' + opening * 49 + "1" + closing * 49 + "}")))
        levels, value = 0, left["payload"]
        while not isinstance(value, str):
            levels, value = levels + 1, value["a"] if isinstance(value, dict) else value[0]
        assert levels == 20
        assert value == opening * 30 + "1" + closing * 30
        assert left["labels"] == {"payload": "stringified"}

    def test_20_levels_stay(self, scripts: Scripts) -> None:
        left = event(scripts, logged(quote('{"a":' * 20 + "1" + "}" * 20)))
        assert "labels" not in left
        assert json.dumps(left["payload"]).count("{") == 20


MALFORMED = {
    "no_field_list": (line(), None),
    "unknown_layout": ("2012-03-12\tconnect\t/pixel.gif", "date x-event cs-uri-stem"),
    "too_few_columns": (line().rsplit("\t", 3)[0], FIELDS),
    "too_many_columns": (line() + "\tmore", FIELDS),
    "bad_time": (line(time="25:00:00"), FIELDS),
    "empty_query": (line(**{"cs-uri-query": "-"}), FIELDS),
    "invalid_encoding": (line(**{"cs-uri-query": "a=Gr%25F6%25DFe"}), FIELDS),
    "invalid_base64": (line(**{"cs-uri-query": "e=eyJh*"}), FIELDS),
    "invalid_json": (line(**{"cs-uri-query": "%7B%22a%22:"}), FIELDS),
    "not_an_object": (line(**{"cs-uri-query": "%5B1%5D"}), FIELDS),
    "too_deep": (line(**{"cs-uri-query": logged('{"a":' * 101 + "1" + "}" * 101)}), FIELDS),
    "too_large": (line(**{"cs-uri-query": "x" * 10_000 + "=1"}), FIELDS),
}


class TestMalformed:
    @pytest.mark.parametrize("expected", MALFORMED)
    def test_is_told_by_its_reason(self, scripts: Scripts, expected: str) -> None:
        text, fields = MALFORMED[expected]
        assert reason(scripts, text, fields) == expected

    def test_every_reason_has_a_test_and_a_line_in_the_docs(self) -> None:
        listed = re.search(r"REASONS = %w\[(.*?)\]", (SCRIPTS / "capture.rb").read_text(), re.DOTALL)
        assert listed
        documented = re.findall(
            r"^\| `(\w+)` \|", (ROOT / "docs" / "events.md").read_text().split("\nReasons:\n")[1], re.MULTILINE
        )
        assert set(listed[1].split()) == {*MALFORMED, "internal_error"} == set(documented)

    @pytest.mark.parametrize(
        "query, expected",
        [
            ("a=Gr%F6%DFe", "invalid_encoding"),
            ("a=Gr%F6+%2520", "invalid_encoding"),
            ("%257B%2522a%2522:%2522%25FF%2522%257D", "invalid_encoding"),
            ("e=" + base64.urlsafe_b64encode(b'{"a":"\xff"}').decode(), "invalid_encoding"),
            ("e=" + base64.urlsafe_b64encode(b"[1]").decode(), "not_an_object"),
            ("e=", "invalid_json"),
            ("e=eyJhIjox", "invalid_json"),
            ("e=a", "invalid_base64"),
            (logged('{"a":1}x'), "invalid_json"),
            (logged('{"a":"x\0y"}'), "invalid_json"),
            ("%7B", "invalid_json"),
            ("%22text%22", "not_an_object"),
            ("null", "not_an_object"),
            ("5", "not_an_object"),
            ("hello", "invalid_json"),
            (as_json({"k" * 10_000: 1}), "too_large"),
            (logged('{"a":' * 1_300 + "1" + "}" * 1_300), "too_deep"),
        ],
    )
    def test_queries_that_are_no_payload(self, scripts: Scripts, query: str, expected: str) -> None:
        assert reason(scripts, line(**{"cs-uri-query": query})) == expected

    @pytest.mark.parametrize(
        "date, time",
        [
            ("2024-02-30", "12:00:00"),
            ("2024-13-01", "12:00:00"),
            ("2024-05-01", "24:00:00"),
            ("2024-05-01", "12:60:00"),
            ("2024-05-01", "12:00:60"),
            ("2024-5-1", "12:00:00"),
            ("2024-05-01T", "12:00"),
            ("-", "12:00:00"),
        ],
    )
    def test_times_that_are_none(self, scripts: Scripts, date: str, time: str) -> None:
        assert reason(scripts, line(date=date, time=time)) == "bad_time"

    def test_keeps_what_recovering_it_needs(self, scripts: Scripts) -> None:
        text = line(**{"cs-uri-query": "-"})
        [record] = scripts.capture(text)
        assert re.fullmatch(r"20.*\.\d{3}Z", record["event"].pop("ingested"))
        assert record == {
            "@timestamp": "2024-05-01T12:00:01.000Z",
            "@metadata": {"route": "malformed"},
            "event": {
                "dataset": "simple_analytics.malformed",
                "reason": "empty_query",
                "hash": hashlib.sha256(text.encode()).hexdigest(),
            },
            "log": {"file": {"path": KEY}},
            "cloudfront": {"fields": FIELDS},
            "message": text.replace("192.0.2.147", "192.0.2.0"),
        }

    def test_without_a_time_takes_the_hour_of_its_object(self, scripts: Scripts) -> None:
        [record] = scripts.capture(line(time="-"))
        assert record["@timestamp"] == "2024-05-01T12:00:00.000Z"

    def test_without_any_time_takes_the_clock(self, scripts: Scripts) -> None:
        [record] = scripts.capture("x", key="cloudfront/copy.log", fields=None)
        assert record["@timestamp"][:16] == record["event"]["ingested"][:16]

    def test_an_error_of_our_own_ends_there_too(self, scripts: Scripts, tmp_path: Path) -> None:
        sound = (SCRIPTS / "capture.rb").read_text()
        broken = tmp_path / "capture.rb"
        broken.write_text(sound.replace("URL.match(original)", "URL.no_such_method(original)"))
        [record] = scripts.capture(line(**{"cs-uri-query": "url=/"}), script=broken)
        assert record["event"]["reason"] == "internal_error"
        assert record["error"] == {"type": "NoMethodError"}
        assert "192.0.2.147" not in record["message"]


class TestFiltered:
    @pytest.mark.parametrize(
        "text",
        [
            line(**{"cs-uri-stem": "/robots.txt"}),
            line(**{"cs-method": "HEAD"}),
            line(**{"cs-method": "POST"}),
            line(**{"cs-uri-stem": "/pixel.gif/x", "cs-uri-query": "-"}),
            "",
            " \t ",
            "\n",
            "#Version: 1.0",
            "#Fields:\tdate\ttime",
            "# a comment",
        ],
    )
    def test_leaves_nothing(self, scripts: Scripts, text: str) -> None:
        assert scripts.capture(text) == []


class TestPrivacy:
    ADDRESSES = (
        "192.0.2.147",
        "198.51.100.23",
        "2001:db8:85a3:8d3:1319:8a2e:370:7348",
        "::ffff:203.0.113.77",
        "203.0.113.77",
    )

    @pytest.mark.parametrize("values", [{}, {"cs-uri-query": "-"}, {"date": "-"}, {"x-edge-request-id": "-"}])
    @pytest.mark.parametrize("cut", [None, 20])
    @pytest.mark.parametrize("fields", [FIELDS, None])
    @pytest.mark.parametrize("address", ADDRESSES)
    def test_no_whole_address_leaves(
        self, scripts: Scripts, address: str, fields: str | None, cut: int | None, values: dict[str, str]
    ) -> None:
        others = "198.51.100.23,%202001:db8:85a3:8d3:1319:8a2e:370:7348,\\x20203.0.113.77:443"
        text = "\t".join(line(**{"c-ip": address, "x-forwarded-for": others} | values).split("\t")[:cut])
        text_out = json.dumps(scripts.capture(text, fields=fields, visitor_secret=SECRET))
        assert [whole for whole in self.ADDRESSES if whole in text_out] == []

    @pytest.mark.parametrize(
        "address, network",
        [
            ("192.0.2.147", "192.0.2.0"),
            ("2001:db8:85a3:8d3:1319:8a2e:370:7348", "2001:db8:85a3::"),
            ("2001:db8::1", "2001:db8::"),
            ("::1", "::"),
            ("::ffff:203.0.113.77", "203.0.113.0"),
            ("::FFFF:CB00:714D", "203.0.113.0"),
        ],
    )
    def test_an_address_is_cut_to_its_network(self, scripts: Scripts, address: str, network: str) -> None:
        assert event(scripts, **{"c-ip": address})["source"] == {"ip": network}

    @pytest.mark.parametrize("address", ["-", "unknown", "999.1.1.1", "1.2.3", "1:2:3", "::1::", "192.0.2.1/24x"])
    def test_what_is_no_address_is_left_out(self, scripts: Scripts, address: str) -> None:
        assert "source" not in event(scripts, **{"c-ip": address})

    def test_an_address_can_be_left_out(self, scripts: Scripts) -> None:
        assert "source" not in event(scripts, source_ip="absent")
        [record] = scripts.capture(line(time="-"), source_ip="absent")
        assert record["message"] == line(time="-").replace("192.0.2.147", "-")

    def test_an_address_can_stay_whole(self, scripts: Scripts) -> None:
        assert event(scripts, source_ip="whole")["source"] == {"ip": "192.0.2.147"}
        [record] = scripts.capture(line(time="-"), source_ip="whole")
        assert record["message"] == line(time="-")

    def test_a_visitor_is_another_one_the_next_day_and_under_another_secret(self, scripts: Scripts) -> None:
        visitors = [
            event(scripts, visitor_secret=SECRET)["user"]["hash"],
            event(scripts, visitor_secret=SECRET, date="2024-05-02")["user"]["hash"],
            event(scripts, visitor_secret="another")["user"]["hash"],
        ]
        assert len(set(visitors)) == 3

    def test_without_a_secret_there_are_no_visitors(self, scripts: Scripts) -> None:
        assert "user" not in event(scripts)

    def test_the_query_of_a_referrer_can_be_kept(self, scripts: Scripts) -> None:
        query = as_json({"referrer": "https://a.example/s?q=x"})
        assert event(scripts, query, referrer_query="kept")["http"]["request"]["referrer"] == "https://a.example/s?q=x"

    def test_the_referrer_is_the_line_s_where_the_sender_tells_none(self, scripts: Scripts) -> None:
        left = event(scripts, **{"cs(Referer)": "https://a.example/caf%25C3%25A9?q=x"})
        assert left["http"] == {"request": {"referrer": "https://a.example/café"}}


class TestUserAgent:
    @pytest.mark.parametrize(
        "column, original",
        [("a%20b+c", "a b+c"), ("a%2520b", "a b"), ("a%252520b", "a%20b"), ("50%25", "50%"), ("%E9", "\ufffd")],
    )
    def test_is_unescaped_at_most_twice(self, scripts: Scripts, column: str, original: str) -> None:
        assert event(scripts, **{"cs(User-Agent)": column})["user_agent"] == {"original": original}


class TestUrl:
    @pytest.mark.parametrize(
        "url, parts",
        [
            ("HTTPS://user:word@A.example/p", {"scheme": "https", "domain": "a.example", "path": "/p"}),
            ("http://[2001:db8::1]:8080/?", {"scheme": "http", "domain": "[2001:db8::1]", "path": "/"}),
            ("app://a.example?x#y", {"scheme": "app", "domain": "a.example", "query": "x"}),
            ("file:///etc/motd", {"scheme": "file", "path": "/etc/motd"}),
            ("/cart?a=1", {}),
            ("mailto:a@b.example", {}),
            ("\n", {}),
        ],
    )
    def test_is_parsed_as_far_as_it_goes(self, scripts: Scripts, url: str, parts: Json) -> None:
        assert event(scripts, as_json({"url": url}))["url"] == {"original": url} | parts


class TestKey:
    @pytest.mark.parametrize("prefix", ["", "Processed/", "Replay/2024-06-01/", "Processed/Replay/2024-06-01/"])
    def test_is_the_one_that_was_delivered(self, scripts: Scripts, prefix: str) -> None:
        left = event(scripts, key=prefix + KEY, **{"x-edge-request-id": "-"})
        assert left["log"]["file"]["path"] == KEY
        assert left["event"]["id"] == event(scripts, **{"x-edge-request-id": "-"})["event"]["id"]

    def test_of_a_replay_is_told(self, scripts: Scripts) -> None:
        labels = {"replay": "2024-06-01", "replay_source": "raw"}
        assert event(scripts, key="Replay/2024-06-01/" + KEY)["labels"] == labels
        [record] = scripts.capture("x", key="Replay/2024-06-01/" + KEY)
        assert record["labels"] == labels


class TestParameters:
    @pytest.mark.parametrize(
        "parameters, message",
        [
            ({"pixel_path": "("}, "end pattern with unmatched parenthesis"),
            ({"pixel_path": "x", "source_ip": "hidden"}, 'source_ip is "hidden": use one of truncated, absent, whole'),
            ({"pixel_path": "x", "referrer_query": "no"}, 'referrer_query is "no": use one of removed, kept'),
            ({"pixel_path": "x", "visitor_secret": ""}, "visitor_secret is empty"),
            ({}, 'key not found: "pixel_path"'),
        ],
    )
    def test_that_are_wrong_are_named(self, scripts: Scripts, parameters: Json, message: str) -> None:
        with pytest.raises(Exception, match=re.escape(message)):
            scripts.load("capture", **parameters)
