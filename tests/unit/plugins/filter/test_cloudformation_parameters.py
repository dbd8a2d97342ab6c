# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.simple_analytics.pipeline.plugins.filter.cloudformation_parameters import (
    cloudformation_parameters,
)


@pytest.mark.parametrize(
    "value, text",
    [
        (True, "true"),
        (False, "false"),
        (["subnet-1", "subnet-2"], "subnet-1,subnet-2"),
        ([True, 1], "true,1"),
        ([], ""),
        (None, ""),
        (168, "168"),
        (0, "0"),
        ("as it is", "as it is"),
    ],
)
def test_values_are_written_as_cloudformation_reads_them(value: object, text: str) -> None:
    assert cloudformation_parameters({"Parameter": value}) == {"Parameter": text}
