# SPDX-License-Identifier: GPL-3.0-or-later
"""The keystore's command answers as a real one was recorded doing (vector running/15-keystore)."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from logstash_standin import keystore
from logstash_standin.settings import substituter

ROOT = Path(__file__).parents[4]
VECTOR = json.loads((ROOT / "tests/vectors/running/15-keystore/expected.json").read_text())
TYPED = {"create": "y\n", "add VEC_SECRET --stdin": "s3cret\n", "add VEC_BOTH --stdin": "keystore"}


def test_its_commands_answer_and_variables_come_from_it_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for command in VECTOR["commands"]:
        monkeypatch.setattr("sys.stdin", io.StringIO(TYPED.get(command["args"], "")))
        exit_code = keystore.main(["--path.settings", str(tmp_path), *command["args"].split()])
        answer = " ".join(capsys.readouterr().out.split())
        assert exit_code == command["exit_code"], command["args"]
        assert answer == " ".join(command["stdout"]).replace("<settings>", str(tmp_path)), command["args"]

    assert (tmp_path / "logstash.keystore").stat().st_mode & 0o777 == 0o600
    monkeypatch.setenv("VEC_BOTH", "environment")
    substitute = substituter(keystore.Keystore(tmp_path))
    assert substitute("${VEC_SECRET} ${VEC_BOTH} ${VEC_SECRET:d} ${VEC_UNSET:d}") == "s3cret keystore s3cret d"


def test_an_existing_one_is_replaced_only_when_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = keystore.Keystore(tmp_path)
    store.write({"key": "value"})
    monkeypatch.setattr("sys.stdin", io.StringIO("y\nN\n"))
    with pytest.raises(SystemExit):
        keystore.main(["--path.settings", str(tmp_path), "create"])
    assert store.read() == {"key": "value"}

    monkeypatch.setattr("sys.stdin", io.StringIO("y\ny\n"))
    keystore.main(["--path.settings", str(tmp_path), "create"])
    assert store.read() == {}
