# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for Logstash that exists only in the sandbox."""

VERSION = "9.4.3"
