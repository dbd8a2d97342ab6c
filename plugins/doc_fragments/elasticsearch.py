# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  url:
    description:
      - Addresses of the cluster's nodes, with scheme and port. Any that answers is used.
    type: list
    elements: str
    required: true
  username:
    description:
      - User to sign in as.
    type: str
    required: true
  password:
    description:
      - Password of O(username).
    type: str
    required: true
  ca_path:
    description:
      - File with the certificate of the authority that signed the nodes' certificates.
      - The system's authorities when not given.
    type: path
requirements:
  - elastic-transport (Debian's package C(python3-elastic-transport))
"""
