"""Checks as files: one ``.sql`` a check, which returns the rows that should not be there.

The file's name is the check's, its folder the gate. Its header says what the check is for::

    -- severity: critical
    -- table: marts.fct_security_daily
    -- why: One sentence for the reader of a red gate;
    --   it may go on in lines that are indented.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from include.errors import TitansError
from include.gates.sql_files import renderer

Severity = Literal["critical", "warning"]

_KEYS = ("severity", "table", "why")
_LINE = re.compile(r"-- (\w+):(.*)")
_NEXT_LINE = re.compile(r"-- {2,}(\S.*)")


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        name: what it is called in records and messages.
        table: ``schema.table`` that it is about.
        severity: what a failure does: ``critical`` stops (or quarantines), ``warning`` is shown.
        why: a sentence for the reader of a red gate.
        query: SQL that returns the rows that should not be there.
    """

    name: str
    table: str
    severity: Severity
    why: str
    query: str


def load_checks(folder: Path, dbt_project: Path, generated: Iterable[Check] = ()) -> list[Check]:
    """The checks of ``folder`` and those that are generated, by name.

    Args:
        dbt_project: where the limits are read from that dbt and the checks share.

    Raises:
        TitansError: a file is no check, or two checks have one name.
    """
    render = renderer(dbt_project)
    checks = [*generated, *(_read(path, render(path)) for path in folder.glob("*.sql"))]
    for name, number in Counter(check.name for check in checks).items():
        if number > 1:
            raise TitansError(f"{folder}: {number} checks are called {name}. Rename the file {name}.sql.")
    return sorted(checks, key=lambda check: check.name)


def _read(path: Path, text: str) -> Check:
    header, query = _split(text)
    values: dict[str, str] = {}
    for line in header:
        if found := _LINE.fullmatch(line):
            key = found[1]
            if key not in _KEYS or key in values:
                what = "stands twice in its header" if key in values else "is no key of a header"
                raise TitansError(f"{path}: {key} {what}. A header has {', '.join(_KEYS)}, each once.")
            values[key] = found[2].strip()
        elif (found := _NEXT_LINE.fullmatch(line)) and values:
            values[list(values)[-1]] += f" {found[1].strip()}"
        else:
            raise TitansError(f"{path}: {line!r} is no line of a header, which ends with an empty line.")
    for key in _KEYS:
        if not values.get(key):
            raise TitansError(f"{path} does not say its {key}: write a line '-- {key}: ...' at its top.")
    if values["severity"] not in get_args(Severity):
        raise TitansError(f"{path}: severity is {values['severity']}. Give {' or '.join(get_args(Severity))}.")
    if not re.fullmatch(r"\w+\.\w+", values["table"]):
        raise TitansError(f"{path}: table is {values['table']}. Give it with its schema, such as marts.fct_fx_daily.")
    if not query:
        raise TitansError(f"{path} has no query: write one that returns the rows that should not be there.")
    return Check(path.stem, values["table"], cast(Severity, values["severity"]), values["why"], query)


def _split(text: str) -> tuple[list[str], str]:
    """The header, line by line, and what follows it."""
    lines = text.strip().splitlines()
    end = next((number for number, line in enumerate(lines) if not line.startswith("--")), len(lines))
    return [line.rstrip() for line in lines[:end]], "\n".join(lines[end:]).strip()
