"""Search every text and JSON column of every table for a subject's identifiers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, case, false, or_, select

from efface.plan.action_sql import as_text, may_mention
from efface.plan.closing_subjects import ClosingSubjects
from efface.plan.compiled_statement import CompiledStatement
from efface.plan.cursor import Cursor
from efface.plan.mentions import ManySearchTerms, Searchable, SearchTerms, parsed
from efface.plan.path_sql import bare
from efface.plan.policy_statements import PolicyStatements
from efface.plan.reused_values import find_reused, reused_values
from efface.policy.actions import Retain
from efface.policy.column_types import is_json, is_text


@dataclass(frozen=True, slots=True)
class Finding:
    """A column with an identifier of the subject, and in how many rows; never the value."""

    table: str
    column: str
    rows: int


@dataclass(frozen=True, slots=True)
class Search:
    """The result of a search of the whole database.

    Attributes:
        tables: How many tables were searched.
        columns: How many columns were searched.
        findings: Where identifiers were found that should have been removed.
        kept: Where identifiers were found in rows under `Retain`, as the policy intends.
        skipped: How many identifiers are too short to search for.
        reused: Where identifiers were found that another account has now, so they are its own.
        schema: The schema that the users' table is in, if it is not the default one.
    """

    tables: int
    columns: int
    findings: tuple[Finding, ...]
    kept: tuple[Finding, ...]
    skipped: int
    reused: tuple[Finding, ...] = ()
    schema: str | None = None

    @property
    def is_clean(self) -> bool:
        """Return whether nothing was found outside retained rows and another account's values."""
        return not self.findings

    def summary(self) -> str:
        """Return the result as one line of text."""
        place = f" of schema {self.schema}" if self.schema else ""
        searched = f"searched {self.tables} tables, {self.columns} columns{place}"
        found = f"still found in {_places(self.findings)}" if self.findings else "clean"
        reused = f"; another account has it now: {_places(self.reused)}" if self.reused else ""
        return f"{searched}: {found}{reused}"

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Search:
        """Return the result that was saved as *data*."""
        names = ("findings", "kept", "reused")
        findings, kept, reused = (tuple(Finding(**f) for f in data.get(n, ())) for n in names)
        tables, columns, skipped = (data[name] for name in ("tables", "columns", "skipped"))
        schema = data.get("schema")
        return cls(tables, columns, findings, kept, skipped, reused, schema)


@dataclass
class DatabaseSearch:
    """The search of all tables of a policy and of Efface's own."""

    statements: PolicyStatements
    other_tables: tuple[Table, ...]
    schema_of: Callable[[Connection], str | None] = lambda _: None

    def __post_init__(self) -> None:
        """List the columns to search, and the conditions of retained rows."""
        retained = {
            each.table.fullname: each for each in self.statements.tables if each.has(Retain)
        }
        tables = [table_rules.table for table_rules in self.statements.policy.tables.values()]
        self._searched: list[tuple[Table, Any, Any, list[str]]] = []
        for table in (*tables, *self.other_tables):
            kept = retained.get(table.fullname)
            names = [c.name for c in table.columns if is_text(c) or is_json(c)]
            here = kept.here if kept else bare(table)
            self._searched.append((table, here, kept.retained if kept else false(), names))
        # A plan reports that text keys are kept, so they are no findings.
        self._keys: defaultdict[str, set[str]] = defaultdict(set)
        for each in (*self.statements.tables, self.statements.subject_row):
            self._keys[each.name].update(name for t in each.targets for name in t.text_keys)
        self._statements: dict[int | None, list[tuple[Table, list[str], CompiledStatement]]] = {}

    def search(
        self, cursor: Cursor, values: Mapping[str, Any], search_terms: SearchTerms
    ) -> Search:
        """Return where *search_terms* are found; *values* identify the subject's retained rows."""
        patterns = {f"pattern_{i}": pattern for i, pattern in enumerate(search_terms.patterns)}
        bound = {**values, **patterns}
        reused = find_reused(cursor, self.statements, values, search_terms.texts).own
        own = search_terms.without(reused)
        return self._run(cursor, bound, len(patterns), search_terms, own)

    def search_for(self, cursor: Cursor, key: tuple[Any, ...], search_terms: SearchTerms) -> Search:
        """Return where *search_terms* are found; of the subject, only the *key* is still known."""
        statements = self.statements
        values = dict.fromkeys(f"subject_{name}" for name in statements.read_columns)
        values |= dict.fromkeys(f"match_{name}" for name in statements.read_columns)
        return self.search(cursor, {**values, **statements.key_values(key)}, search_terms)

    def search_many(self, cursor: Cursor, subjects: ClosingSubjects) -> Search:
        """Return where identifiers of any of *subjects* are found, reading every text once."""
        reused = reused_values(cursor, self.statements, subjects).own
        every, own = (
            ManySearchTerms(each.search_terms.without(values) for each in subjects.all)
            for values in ((), reused)
        )
        return self._run(cursor, subjects.values, None, every, own)

    def _run(
        self,
        cursor: Cursor,
        bound: Mapping[str, Any],
        patterns: int | None,
        search_terms: Searchable,
        own: Searchable,
    ) -> Search:
        """Return where *search_terms* are found; *own* are those that no other account has."""
        remaining: Counter[tuple[str, str]] = Counter()
        kept: Counter[tuple[str, str]] = Counter()
        reused: Counter[tuple[str, str]] = Counter()
        for table, names, statement in self._compiled(patterns):
            keys = self._keys[table.fullname]
            for *texts, is_kept in cursor.stream(statement, bound):
                for name, text in zip(names, texts, strict=True):
                    if text is None or not _is_in(text, search_terms):
                        continue
                    # Text keys and retained rows keep identifiers on purpose, so they are no
                    # findings.
                    found = kept if is_kept or name in keys else remaining
                    if own is not search_terms and not _is_in(text, own):
                        found = reused
                    found[table.fullname, name] += 1
        return Search(
            tables=len(self._searched),
            columns=sum(len(names) for _, _, _, names in self._searched),
            findings=tuple(_findings(remaining)),
            kept=tuple(_findings(kept)),
            skipped=search_terms.skipped,
            reused=tuple(_findings(reused)),
            schema=self.schema_of(cursor.connection),
        )

    def _compiled(self, patterns: int | None) -> list[tuple[Table, list[str], CompiledStatement]]:
        """Return a query for each table, with so many patterns; None reads every text."""
        # Without search terms there is nothing to find, so no table is read.
        if patterns == 0:
            return []
        if patterns not in self._statements:
            self._statements[patterns] = [
                (table, names, self._statement(table, here, kept, names, patterns))
                for table, here, kept, names in self._searched
                if names
            ]
        return self._statements[patterns]

    def _statement(
        self, table: Table, here: Any, kept: Any, names: list[str], patterns: int | None
    ) -> CompiledStatement:
        columns = [here.c[name] for name in names]
        wanted = [*map(as_text, columns), case((kept, 1), else_=0)]
        worth = [
            c.is_not(None)
            if patterns is None
            else may_mention(self.statements.dialect, c, patterns)
            for c in columns
        ]
        query = select(*wanted).select_from(here).where(or_(*worth))
        return CompiledStatement(
            query, self.statements.dialect, table=table.fullname, act="search", results=wanted
        )


def _places(findings: Iterable[Finding]) -> str:
    return ", ".join(f"{each.table}.{each.column} ({each.rows})" for each in findings)


def _is_in(text: str, search_terms: Searchable) -> bool:
    # As text and as JSON, because an escape such as \u00e9 hides a name in the text.
    return search_terms.found_in(text) or search_terms.found_in(parsed(text))


def _findings(counted: Mapping[tuple[str, str], int]) -> Iterator[Finding]:
    pairs: Iterable[tuple[tuple[str, str], int]] = sorted(counted.items())
    for (table, column), rows in pairs:
        yield Finding(table, column, rows)
