# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    # The options of module_utils/_waiting.py.
    DOCUMENTATION = r"""
options:
  wait:
    description:
      - Whether to wait until it is done, with a line of progress each time it looks.
      - Otherwise it does what can be done at once, and says how far it is. The next call goes on.
    type: bool
    default: false
  wait_timeout:
    description:
      - How many seconds to wait. When that was not enough the module does not fail; it says that it is not done.
    type: int
    default: 300
  wait_sleep:
    description:
      - How many seconds to wait before looking again.
    type: int
    default: 5
"""
