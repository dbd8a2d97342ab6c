# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Iterator

import pytest

import tests.unit.conftest  # noqa: F401 - makes the collection importable
from tests.conformance.services import Aws, emulated


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    with emulated(tmp_path_factory.mktemp("aws")) as aws:
        yield aws
