# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the collection importable by its name from a plain checkout; ansible-test does that by itself."""

from __future__ import annotations

import sys
from pathlib import Path

from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder

ROOT = Path(__file__).resolve().parents[2]

if not any(isinstance(finder, _AnsibleCollectionFinder) for finder in sys.meta_path):
    _AnsibleCollectionFinder(paths=[str(ROOT / ".ansible" / "collections")])._install()
