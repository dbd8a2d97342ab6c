# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-in for Kibana, for the local landscape only."""
