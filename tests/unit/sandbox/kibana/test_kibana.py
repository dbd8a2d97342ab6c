# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in for Kibana refuses what Kibana refuses."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from sandbox.kibana.kibana_standin import keystore
from sandbox.kibana.kibana_standin.server import ANONYMOUS, TOKEN, Kibana

PASSWORD = f"{ANONYMOUS}.credentials.password"


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KBN_PATH_CONF", str(tmp_path))
    monkeypatch.setattr("os.getuid", lambda: 1000)
    return tmp_path / "kibana.keystore"


def run(monkeypatch: pytest.MonkeyPatch, *command: str, stdin: str = "") -> None:
    monkeypatch.setattr(sys, "argv", ["kibana-keystore", *command])
    monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
    keystore.main()


def test_the_keystore_forgets_what_is_removed(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(monkeypatch, "create")
    for name in (TOKEN, PASSWORD):
        run(monkeypatch, "add", name, "--force", "--stdin", stdin='"secret"')
    for _ in range(2):
        run(monkeypatch, "remove", PASSWORD)
        assert json.loads(kept.read_text()) == {TOKEN: "secret"}


def test_a_provider_without_its_order_is_no_start() -> None:
    with pytest.raises(SystemExit, match=r"anonymous1\.order\]: expected value of type \[number\]"):
        Kibana({TOKEN: "secret", PASSWORD: "secret"})
