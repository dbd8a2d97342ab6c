# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This util is PRIVATE to the collection: it may change or go without notice.

"""The error of this collection's modules."""

from __future__ import annotations


class PipelineError(Exception):
    """What cannot be done, on which object, and what to do about it, in a sentence for the operator."""

    # Whether it may be otherwise in a moment, without anybody doing anything about it.
    passing = False


class PassingError(PipelineError):
    """What cannot be done right now."""

    passing = True
