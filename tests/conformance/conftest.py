# SPDX-License-Identifier: GPL-3.0-or-later
"""`pytest tests/conformance --cases=quick|wide|all`; `all` goes on where an earlier run of the same code was ended."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import tests.unit.conftest  # noqa: F401 - makes the collection importable
from tests.collection_copy import ROOT
from tests.conformance import matrix
from tests.conformance.services import Aws, emulated

CASES = {"quick": matrix.QUICK, "wide": matrix.WIDE, "all": matrix.ALL}
TROUBLED = {"quick": matrix.QUICK_TROUBLED, "wide": matrix.WIDE_TROUBLED, "all": matrix.ALL_TROUBLED}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--cases", choices=CASES, default="quick", help="how much of tests/conformance/matrix.py to run")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", CASES[metafunc.config.getoption("--cases")], ids="-".join)
    if "trouble" in metafunc.fixturenames:
        metafunc.parametrize("library, trouble, position", TROUBLED[metafunc.config.getoption("--cases")])


class Passed:
    """The cases that passed before, on file, with the code they passed with."""

    def __init__(self) -> None:
        sources = sorted([*ROOT.glob("plugins/**/*.py"), *ROOT.glob("tests/conformance/**/*.*")])
        digest = hashlib.sha256(b"".join(file.read_bytes() for file in sources if file.is_file())).hexdigest()[:16]
        self._file: Path = ROOT / ".cache" / f"conformance-{digest}"
        self._file.parent.mkdir(exist_ok=True)

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        passed = self._file.read_text().splitlines() if self._file.exists() else []
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid in passed])
        items[:] = [item for item in items if item.nodeid not in passed]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and report.passed:
            with self._file.open("a") as file:
                file.write(report.nodeid + "\n")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--cases") == "all":
        config.pluginmanager.register(Passed())


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    with emulated(tmp_path_factory.mktemp("aws")) as aws:
        yield aws
