# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration language: its grammar, and what a file says in terms of sections, plugins and conditions.

The grammar covers the whole language, so that a syntax error reads as Logstash's own: what was expected at the furthest
position reached, in the order tried. What the stand-in cannot execute is refused by name afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

from arpeggio import EndOfFile, NonTerminal, RegExMatch
from arpeggio.cleanpeg import ParserPEG

from .event import Value

GRAMMAR = r"""
config              = (cs plugin_section)* cs
plugin_section      = plugin_type cs "{" cs (branch_or_plugin cs)* "}"
plugin_type         = "input" / "filter" / "output"
branch_or_plugin    = branch / plugin

cs                  = (comment / whitespace)*
comment             = (whitespace? "#" r'[^\r\n]'* (("\r"? "\n") / EOF))+
whitespace          = r'[ \t\r\n]'+

plugin              = name cs "{" cs (attribute (whitespace cs attribute)*)? cs "}"
name                = r'[A-Za-z0-9_-]'+ / string
attribute           = name cs "=>" cs value
value               = plugin / bareword / string / number / array / hash
bareword            = r'[A-Za-z_]' r'[A-Za-z0-9_]'+
string              = double_quoted / single_quoted
double_quoted       = '"' ('\\"' / (!'"' r'[\s\S]'))* '"'
single_quoted       = "'" ("\\'" / (!"'" r'[\s\S]'))* "'"
regexp              = '/' ('\\/' / (!'/' r'[\s\S]'))* '/'
number              = "-"? r'[0-9]'+ ("." r'[0-9]'*)?
array               = "[" cs (value (cs "," cs value)*)? cs "]"
hash                = "{" cs hashentries? cs "}"
hashentries         = hashentry (cs hashentry)*
hashentry           = (number / bareword / string) cs "=>" cs value

branch              = if (cs else_if)* (cs else)?
if                  = "if" cs condition cs "{" cs (branch_or_plugin cs)* "}"
else_if             = "else" cs "if" cs condition cs "{" cs (branch_or_plugin cs)* "}"
else                = "else" cs "{" cs (branch_or_plugin cs)* "}"
condition           = expression (cs boolean_operator cs expression)*
expression          = ("(" cs condition cs ")") / negative_expression / in_expression / not_in_expression
                      / compare_expression / regexp_expression / rvalue
negative_expression = ("!" cs "(" cs condition cs ")") / ("!" cs selector)
in_expression       = rvalue cs "in" cs rvalue
not_in_expression   = rvalue cs "not " cs "in" cs rvalue
compare_expression  = rvalue cs compare_operator cs rvalue
compare_operator    = "==" / "!=" / "<=" / ">=" / "<" / ">"
regexp_expression   = rvalue cs ("=~" / "!~") cs (string / regexp)
boolean_operator    = "and" / "or" / "xor" / "nand"
rvalue              = string / number / selector / array / method_call / regexp
method_call         = bareword cs "(" cs (rvalue (cs "," cs rvalue)*)? cs ")"
selector            = selector_element+
selector_element    = "[" r'[^\]\[,]'+ "]"
"""


Node = Any
"""Of a syntax tree; its maker knows no types."""
P = TypeVar("P")


class ConfigurationError(Exception):
    """A configuration that is refused; `ruby_class` is what the log calls the error."""

    ruby_class = "LogStash::ConfigurationError"


@dataclass
class Plugin:
    kind: str
    name: str
    settings: dict[str, Value]
    source: str
    location: str


@dataclass(frozen=True)
class Field:
    reference: str


@dataclass(frozen=True)
class Comparison:
    left: Field | Value
    right: Field | Value
    negated: bool


Condition = Comparison | Field | None


@dataclass
class Branch(Generic[P]):
    """The arms of an if, else if, else; the condition of `else` is None."""

    arms: list[tuple[Condition, list[P | Branch[P]]]]


Section = list[Plugin | Branch[Plugin]]


@dataclass
class Config:
    input: Section = field(default_factory=list)
    filter: Section = field(default_factory=list)
    output: Section = field(default_factory=list)

    def plugins(self) -> Iterator[Plugin]:
        return plugins_of(self.input + self.filter + self.output)


def plugins_of(nodes: list[P | Branch[P]]) -> Iterator[P]:
    """All plugins, those of branches included."""
    for node in nodes:
        if isinstance(node, Branch):
            for _, body in node.arms:
                yield from plugins_of(body)
        else:
            yield node


class _Parser(ParserPEG):  # type: ignore[misc]  # arpeggio has no types
    def __init__(self) -> None:
        super().__init__(GRAMMAR, "config", skipws=False, memoization=True)

    def _parse(self) -> Node:
        """Parse as far as it goes; here the furthest failure is still known."""
        tree = super()._parse()
        if self.position < len(self.input):
            failed = self.nm.position
            expected = dict.fromkeys(_spelling(rule) for rule in self.nm.rules if not isinstance(rule, EndOfFile))
            line, column = self.pos_to_linecol(failed)
            raise ConfigurationError(
                f"Expected {'one of ' * (len(expected) > 1)}{', '.join(expected)} at line {line}, column {column}"
                f" (byte {failed + 1}) after {self.input[self.position : failed]}"
            )
        return tree


def _spelling(rule: Node) -> str:
    text: str = rule.to_match
    if isinstance(rule, RegExMatch):
        return "any character" if text == r"[\s\S]" else text
    escaped = text.encode("unicode_escape").decode()
    return f"'{text}'" if '"' in text or "/" in text else f'"{escaped}"'


@dataclass
class _Reader:
    """Turns a syntax tree into a Config."""

    text: str
    file: str
    substitute: Callable[[str], str]
    line_and_column: Callable[[int], tuple[int, int]]

    def source(self, node: Node) -> str:
        return self.text[node.position : node.position_end]

    def read(self, tree: Node) -> Config:
        config = Config()
        for section in _parts(tree, "plugin_section"):
            kind = self.source(section[0])
            getattr(config, kind).extend(self.body(section, kind))
        return config

    def body(self, node: Node, kind: str) -> Section:
        found = [part[0] for part in _parts(node, "branch_or_plugin")]
        return [self.branch(part, kind) if part.rule_name == "branch" else self.plugin(part, kind) for part in found]

    def branch(self, node: Node, kind: str) -> Branch[Plugin]:
        arms: list[tuple[Condition, Section]] = []
        for arm in _parts(node, "if", "else_if", "else"):
            condition = next(_parts(arm, "condition"), None)
            arms.append((condition and self.condition(condition), self.body(arm, kind)))
        return Branch(arms)

    def plugin(self, node: Node, kind: str) -> Plugin:
        settings: dict[str, Value] = {}
        for attribute in _parts(node, "attribute"):
            name, value = self.name(attribute), self.value(next(_parts(attribute, "value")))
            settings[name] = _joined(name, settings[name], value) if name in settings else value
        line, column = self.line_and_column(node.position)
        return Plugin(kind, self.name(node), settings, self.source(node), f"[file]{self.file}:{line}:{column}")

    def name(self, node: Node) -> str:
        return self.source(node[0]).strip("\"'")

    def value(self, node: Node) -> Value:
        node = node[0]
        match node.rule_name:
            case "plugin":
                return self.plugin(node, "codec")
            case "array":
                return [self.value(item) for item in _parts(node, "value")]
            case "hash":
                return self.hash(node)
            case _:
                return self.literal(node)

    def literal(self, node: Node) -> str | int | float:
        text = self.source(node)
        if node.rule_name == "number":
            return float(text) if "." in text else int(text)
        return text[1:-1] if node.rule_name == "string" else text

    def hash(self, node: Node) -> dict[str, Value]:
        entries: dict[str, Value] = {}
        for entry in (entry for group in _parts(node, "hashentries") for entry in _parts(group, "hashentry")):
            key = self.literal(entry[0])
            if not isinstance(key, str):
                raise ConfigurationError(f"A hash's key must be a text: {key} in {self.source(node)}")
            if key in entries:
                line, column = self.line_and_column(node.position)
                raise ConfigurationError(
                    f'Duplicate keys found in your configuration: ["{key}"]\n'
                    f"At line: {line}, column {column} (byte {node.position + 1})\n"
                    f"after {self.text[: node.position_end]}"
                )
            entries[key] = self.value(next(_parts(entry, "value")))
        return entries

    def condition(self, node: Node) -> Comparison | Field:
        expression = node[0][0]
        if len(node) > 1 or expression.rule_name not in ("compare_expression", "rvalue"):
            raise self.unknown(node)
        if expression.rule_name == "rvalue":
            if expression[0].rule_name != "selector":
                raise self.unknown(node)
            return Field(self.source(expression))
        operator = self.source(next(_parts(expression, "compare_operator")))
        if operator not in ("==", "!="):
            raise self.unknown(node)
        left, right = (self.operand(operand) for operand in _parts(expression, "rvalue"))
        return Comparison(left, right, negated=operator == "!=")

    def operand(self, node: Node) -> Field | Value:
        match node[0].rule_name:
            case "string":
                return self.substitute(cast(str, self.literal(node[0])))
            case "number":
                return self.literal(node[0])
            case "selector":
                return Field(self.source(node))
            case _:
                raise self.unknown(node)

    def unknown(self, node: Node) -> ConfigurationError:
        line, column = self.line_and_column(node.position)
        return ConfigurationError(
            f"The stand-in knows only `==`, `!=` and `[field]` as a condition, not `{self.source(node)}`"
            f" ({self.file}, line {line}, column {column})"
        )


def _parts(node: Node, *names: str) -> Iterator[Node]:
    return (part for part in node if isinstance(part, NonTerminal) and part.rule_name in names)


def _joined(name: str, first: Value, second: Value) -> Value:
    """A setting written twice: hashes and lists become one."""
    if isinstance(first, dict) and isinstance(second, dict):
        both = {key: _as_list(first[key]) + _as_list(second[key]) for key in first.keys() & second.keys()}
        return first | second | both
    if isinstance(first, list):
        return first + _as_list(second)
    raise ConfigurationError(f"The setting {name} is written twice")


def _as_list(value: Value) -> list[Value]:
    return value if isinstance(value, list) else [value]


def parse(text: str, file: str, substitute: Callable[[str], str]) -> Config:
    """What a configuration file says; `substitute` fills in `${…}` in conditions (plugins do it for their settings)."""
    parser = _Parser()
    tree = parser.parse(text)
    return _Reader(text, file, substitute, parser.pos_to_linecol).read(tree)
