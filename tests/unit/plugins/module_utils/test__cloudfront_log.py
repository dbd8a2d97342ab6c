# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import gzip
import io
import re
from collections import deque
from hashlib import sha256

import pytest
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._cloudfront_log import (
    BrokenObjectError,
    Line,
    classify,
    hour_of_key,
    read_lines,
)

KEY = "cloudfront/E1A2B3.2026-11-24-22.4f2a91c3.gz"
PIXEL = re.compile(r"^/pixel\.gif$")
FIELDS = "#Fields: date time cs-method cs-uri-stem cs-uri-query x-edge-request-id"
HIT = "2026-11-24\t21:59:59\tGET\t/pixel.gif\te=e30\tabc=="


def lines(data: bytes) -> list[str]:
    return list(read_lines(io.BytesIO(data)))


def classified(*given: str, key: str = KEY, pixel: re.Pattern[str] = PIXEL) -> list[Line]:
    return list(classify(given, key, "2026-11-25T00", pixel))


def hexdigest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


class TestHourOfKey:
    @pytest.mark.parametrize(
        "key, hour",
        [
            (KEY, "2026-11-24T22"),
            ("cloudfront/E1A2B3.2026-11-24-22.4f2a91c3", "2026-11-24T22"),
            ("a/2026-11-24-22.gz", None),
            ("E1.2026-13-24-22.x.gz", None),
            ("E1.2026-11-24-24.x.gz", None),
            ("E1.2026-11-24-22.x.gz/other", None),
        ],
    )
    def test_only_the_name_that_cloudfront_gives_holds_an_hour(self, key: str, hour: str | None) -> None:
        assert hour_of_key(key) == hour


class TestReadLines:
    def test_all_members_of_a_compressed_object_are_read(self) -> None:
        assert lines(gzip.compress(b"one\ntwo\n") + gzip.compress(b"three\n")) == ["one", "two", "three"]

    def test_a_compressed_object_is_known_by_its_content(self) -> None:
        assert lines(b"one\ntwo") == ["one", "two"]

    def test_an_empty_object_has_no_lines(self) -> None:
        assert lines(b"") == []

    def test_lines_of_a_compressed_object_end_as_in_java(self) -> None:
        assert lines(gzip.compress(b"a\r\nb\rc\n\nd")) == ["a", "b", "c", "", "d"]

    def test_lines_of_a_plain_object_end_with_a_newline_only(self) -> None:
        assert lines(b"a\r\nb\rc\n\nd\r") == ["a", "b\rc", "", "d"]

    @pytest.mark.parametrize(
        "raw, text",
        [
            (b"a\xffb", "a\ufffdb"),
            (b"ab\xe2\x82", "ab\ufffd"),
            (b"\xc0\xaf", "\ufffd\ufffd"),
            (b"\xed\xa0\x80|", "\ufffd|"),
            (b"\xed\xa0|", "\ufffd|"),
            (b"\xf8\x88\x80", "\ufffd\ufffd\ufffd"),
        ],
    )
    def test_bytes_that_are_not_utf_8_are_replaced_as_java_does(self, raw: bytes, text: str) -> None:
        assert lines(gzip.compress(raw + b"\n")) == [text]

    @pytest.mark.parametrize(
        "raw, text",
        [  # recorded from a Logstash with the line codec, in tests/vectors/codecs/02-line-invalid-utf8
            (b"a\xffb", r"a\xFFb"),
            (b"caf\xe9 x", r"caf\xE9 x"),
            (b"ab\xe2\x82", r"ab\xE2\x82"),
            (b"\xed\xa0\x80", r"\xED\xA0\x80"),
            (b"\xf8\x88\x80\x80\x80", r"\xF8\x88\x80\x80\x80"),
            # What else Ruby's inspect escapes.
            (b'\xff\t"\\#{}#$#@# \x00\x1b\x7f', r"\xFF\t\"\\\#{}\#$\#@# \u0000\e\u007F"),
            ("\u20ac\u2028\U000e0000\u0085".encode() + b"\xff", "\u20ac" + r"\u2028\u{E0000}" + "\u0085" + r"\xFF"),
        ],
    )
    def test_a_plain_line_that_is_not_utf_8_is_written_as_source_text(self, raw: bytes, text: str) -> None:
        assert lines(raw) == [text]

    def test_such_a_line_keeps_its_end_as_text(self) -> None:
        assert lines(b"\xff\n\xc3\xa9\n") == [r"\xFF\n", "é"]

    def test_what_comes_before_a_break_is_read(self) -> None:
        whole = gzip.compress("".join(f"line {number} {number**7 % 1000003}\n" for number in range(20000)).encode())
        read: list[str] = []
        with pytest.raises(BrokenObjectError):
            deque(map(read.append, read_lines(io.BytesIO(whole[:-500]))), maxlen=0)
        assert 10000 < len(read) < 20000
        assert read[-1] == f"line {len(read) - 1} {(len(read) - 1) ** 7 % 1000003}"

    def test_nothing_but_a_header_is_broken(self) -> None:
        with pytest.raises(BrokenObjectError):
            lines(b"\x1f\x8b\x08no gzip")


class TestClassify:
    def test_comments_and_blank_lines_are_none(self) -> None:
        assert classified("#Version: 1.0", FIELDS, "", " \t\0", "# more") == []

    def test_a_get_on_the_pixels_path_is_a_hit(self) -> None:
        assert classified(FIELDS, HIT) == [Line(2, "hit", "2026-11-24T21", "abc==", hexdigest(HIT))]

    @pytest.mark.parametrize("change", [("GET", "HEAD"), ("GET", "get"), ("/pixel.gif", "/pixel.gif2")])
    def test_any_other_request_is_filtered(self, change: tuple[str, str]) -> None:
        line = HIT.replace(*change)
        assert classified(FIELDS, line) == [Line(2, "filtered", "2026-11-24T21", None, hexdigest(line))]

    def test_every_path_can_be_the_pixels(self) -> None:
        (line,) = classified(FIELDS, HIT.replace("/pixel.gif", "/index.html"), pixel=re.compile("."))
        assert line.kind == "hit"

    @pytest.mark.parametrize("line", ["2026-11-24\t21:59:59\tGET", HIT + "\t", HIT.replace("\t", "   "), "hello"])
    def test_a_line_of_another_number_of_columns_is_unreadable(self, line: str) -> None:
        (found,) = classified(FIELDS, line)
        assert found.kind == "unreadable"
        assert (found.id, found.hash) == (None, hexdigest(line))

    @pytest.mark.parametrize(
        "header",
        [
            "#Version: 1.0",
            FIELDS.replace(" ", "\t"),
            "#Fields:",
            FIELDS.replace("cs-method", "x-event"),
            FIELDS.replace("date time", "timestamp ms"),
        ],
    )
    def test_without_a_field_list_of_ours_every_line_is_unreadable(self, header: str) -> None:
        assert [line.kind for line in classified(header, HIT)] == ["unreadable"]

    def test_a_field_list_holds_until_the_next(self) -> None:
        found = classified(HIT, FIELDS, HIT, "#Fields: date time", HIT)
        assert [line.kind for line in found] == ["unreadable", "hit", "unreadable"]

    def test_columns_go_by_the_field_list(self) -> None:
        header = "#Fields: cs-uri-stem x-edge-request-id time date cs-uri-query cs-method"
        (found,) = classified(header, "/pixel.gif\tabc==\t21:59:59\t2026-11-24\te=e30\tGET")
        assert found[1:4] == ("hit", "2026-11-24T21", "abc==")

    @pytest.mark.parametrize("request_id", ["-", "", "x" * 257])
    def test_a_hit_without_a_usable_request_id_goes_by_key_and_line(self, request_id: str) -> None:
        line = HIT.replace("abc==", request_id)
        (found,) = classified(FIELDS, line)
        assert found.id == hexdigest(f"{KEY}\n{line}")

    @pytest.mark.parametrize("time", ["24:00:00", "21:60:00", "21:59", "-", "2\u0661:59:59"])
    def test_a_line_without_a_time_takes_the_hour_of_its_object(self, time: str) -> None:
        (found,) = classified(FIELDS, HIT.replace("21:59:59", time))
        assert (found.kind, found.hour) == ("hit", "2026-11-24T22")

    def test_failing_that_the_hour_of_delivery(self) -> None:
        (found,) = classified(FIELDS, HIT.replace("2026-11-24", "2026-02-30"), key="cloudfront/some.log")
        assert found.hour == "2026-11-25T00"

    def test_a_cut_line_still_has_its_time(self) -> None:
        (found,) = classified(FIELDS, "2026-11-24\t21:59:59\tGE")
        assert (found.kind, found.hour) == ("unreadable", "2026-11-24T21")
