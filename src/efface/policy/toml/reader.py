"""Read a policy from TOML, with the same names as in Python.

Reading needs the standard library only, and writing needs tomlkit. The reader knows no action by
name: it uses the classes and fields of `efface.policy.actions` and `efface.policy.declarations`.

    [tables.posts]
    not_personal = ["inserted_at"]

    [[tables.posts.on_close]]
    action = "Redact"
    via = "author_id"

    [tables.posts.personal]
    body = { action = "ReplaceMentions", replacement = "a former member" }
    ip = "Clear"
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import MetaData, Table

from efface.errors import PolicyFileError, Problem, UnreadableFileError
from efface.policy.column_types import by_name
from efface.policy.declarations import CloseRule, ColumnRule, NoPersonalDataRule, SubjectRule
from efface.policy.did_you_mean import did_you_mean
from efface.policy.toml.values import RecordReader, Rejected

TableRule = SubjectRule | CloseRule | NoPersonalDataRule
TABLE_KEYS: Mapping[str, type[TableRule]] = {
    "data_subject": SubjectRule,
    "on_close": CloseRule,
    "no_personal_data": NoPersonalDataRule,
}
COLUMN_KEYS = ("personal", "not_personal")
_LINE = re.compile(r"at line (\d+)")


@dataclass
class DeclaredRules:
    """The rules that a file declares for one table and its columns."""

    table: list[TableRule] = field(default_factory=list)
    columns: dict[str, list[ColumnRule]] = field(default_factory=dict)


def read(path: str | Path, metadata: MetaData) -> dict[str, DeclaredRules]:
    """Return the rules in the file at *path*, by table of *metadata*.

    Raises:
        UnreadableFileError: the file is not TOML.
        PolicyFileError: it names a table, column, action or key that does not exist.
    """
    reader = _FileReader(metadata)
    declared = reader.declared_rules(_parsed(path))
    if reader.problems:
        raise PolicyFileError(str(path), reader.problems)
    return declared


def _parsed(path: str | Path) -> dict[str, Any]:
    content = Path(path).read_bytes()
    try:
        return tomllib.loads(content.decode("utf-8"))
    except tomllib.TOMLDecodeError as error:
        # The parser's own message may quote the file, and a file may contain personal values.
        found = _LINE.search(str(error))
        line = int(found[1]) if found else len(content.splitlines())
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
    raise UnreadableFileError(str(path), line)


class _FileReader:
    """Read one file and collect its problems, to report them together."""

    def __init__(self, metadata: MetaData) -> None:
        self._metadata = metadata
        self.problems: list[Problem] = []

    def _reject(self, table: str, column: str | None, text: str) -> None:
        self.problems.append(Problem("E106", table, column, text))

    def _known(self, table: str, column: str | None, name: str, known: Any, kind: str) -> bool:
        if name in known:
            return True
        hint = did_you_mean(name, known, listed=12)
        self._reject(table, column, f"{name} is not {kind}.{hint}")
        return False

    def declared_rules(self, data: Mapping[str, Any]) -> dict[str, DeclaredRules]:
        """Return the rules of the whole file, by table."""
        for word in data:
            self._known("(file)", None, word, ["tables"], "a key of a policy file")
        tables = data.get("tables", {})
        if not isinstance(tables, dict):
            self._reject("(file)", None, "tables must be a table of tables: [tables.users]")
            return {}
        result = {}
        for name, said in _by_table(tables, self._metadata):
            known = self._metadata.tables
            if self._known(name, None, name, known, "a table of the models"):
                result[name] = self._table(known[name], said)
        return result

    def _table(self, table: Table, said: Any) -> DeclaredRules:
        declared = DeclaredRules()
        if not isinstance(said, dict):
            self._reject(table.fullname, None, f"Write it as a table: [tables.{table.fullname}]")
            return declared
        for word, value in said.items():
            if word in TABLE_KEYS:
                is_list = isinstance(value, list) and word == "on_close"
                for each in value if is_list else [value]:
                    rule = self._record(table, None, word, TABLE_KEYS[word], each)
                    declared.table += [rule] if rule else []
            elif word == "personal":
                self._personal(table, value, declared)
            elif word == "not_personal":
                self._not_personal(table, value, declared)
            else:
                words = [*TABLE_KEYS, *COLUMN_KEYS]
                self._known(table.fullname, None, word, words, "a key for a table")
        for rule in declared.table:
            # The reader of a rule does not know the table, so its columns are checked here.
            for where in ("identifiers", "not_personal"):
                for name in getattr(rule, where, ()):
                    self._column(table, name)
        return declared

    def _personal(self, table: Table, value: Any, declared: DeclaredRules) -> None:
        if not isinstance(value, dict):
            self._reject(
                table.fullname,
                None,
                f"personal must be a table: [tables.{table.fullname}.personal]",
            )
            return
        for name, said in value.items():
            if self._column(table, name):
                for one in said if isinstance(said, list) else [said]:
                    each = {"action": one} if isinstance(one, str) else one
                    rule = self._record(table, name, "personal", ColumnRule, each)
                    declared.columns.setdefault(name, []).extend([rule] if rule else [])

    def _not_personal(self, table: Table, value: Any, declared: DeclaredRules) -> None:
        if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
            self._reject(
                table.fullname, None, 'not_personal must be a list: not_personal = ["locale"]'
            )
            return
        for name in value:
            if self._column(table, name):
                declared.columns.setdefault(name, []).append(ColumnRule(None, None))

    def _column(self, table: Table, name: str) -> bool:
        known = [column.name for column in table.columns]
        return self._known(table.fullname, name, name, known, f"a column of {table.fullname}")

    def _record(
        self, table: Table, column: str | None, word: str, cls: type[Any], said: Any
    ) -> Any | None:
        if not isinstance(said, dict):
            self._reject(table.fullname, column, f"{word} must be a table: {{ … }}")
            return None
        record = RecordReader(dict(said), None if column is None else by_name(table)[column])
        try:
            rule = record.read(cls, word, inlined="action")
        except Rejected as rejected:
            self._reject(table.fullname, column, rejected.text)
            return None
        return rule


def _by_table(tables: Mapping[str, Any], metadata: MetaData) -> Iterator[tuple[str, Any]]:
    """Yield the name and content of each table; ``[tables.public.users]`` includes a schema."""
    schemas = {table.schema for table in metadata.tables.values() if table.schema}
    for name, said in tables.items():
        if name in schemas and name not in metadata.tables and isinstance(said, dict):
            yield from ((f"{name}.{inner}", each) for inner, each in said.items())
        else:
            yield name, said
