# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast it is, as ratios of two ways to do the same in one run."""

import tests.unit.conftest  # noqa: F401 - makes the collection importable
