# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the condition of an `if` holds for an event."""

from __future__ import annotations

from .config import Condition, Field
from .event import Event, Value

NULL = object()


def holds(condition: Condition, event: Event) -> bool:
    """`else` is the condition None. A field alone holds unless it is missing, null, false or an empty text."""
    if condition is None:
        return True
    if isinstance(condition, Field):
        value = event.get(condition.reference)
        return value is not None and value is not False and value != ""
    return _equal(_value(condition.left, event), _value(condition.right, event)) != condition.negated


def _value(operand: Field | Value, event: Event) -> Value:
    if not isinstance(operand, Field):
        return operand
    value = event.get(operand.reference)
    return NULL if value is None and event.include(operand.reference) else value


def _equal(left: Value, right: Value) -> bool:
    """1 does not equal 1.0, and null is not missing."""
    return type(left) is type(right) and bool(left == right)
