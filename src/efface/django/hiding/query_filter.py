"""Closed accounts leave every query of Django's ORM, whichever manager it began with.

A query is filtered where it becomes SQL: a manager would reach its own model alone, while people
are also joined, counted in subqueries and updated in bulk. What is filtered is a copy, so the
query itself can be run again in an `include_closed` block.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db.models import ForeignObjectRel, QuerySet
from django.db.models.constants import OnConflict
from django.db.models.manager import BaseManager
from django.db.models.sql import Query
from django.db.models.sql.constants import INNER
from django.db.models.sql.datastructures import BaseTable, Join
from django.db.models.sql.where import AND, WhereNode

from efface.django.hiding.forward_relations import show_forward
from efface.django.hiding.include_closed_querysets import ask, asking, is_asked_for
from efface.django.hiding.multi_statement_writes import keep_whole
from efface.django.hiding.stale_instances import cover
from efface.django.hiding.unchanged_references import keep_untouched
from efface.django.hiding.user_rows import People, Quote, people
from efface.errors import UnfilteredStatementError

_get_compiler, _as_sql = Query.get_compiler, Query.as_sql
INSERT, AGGREGATE = "SQLInsertCompiler", "SQLAggregateCompiler"


def install() -> None:
    """Hide the closed accounts of the model with data_subject(), once all models are loaded."""
    found = people()
    if found is None:
        return
    hiding = _Hiding(found)

    def get_compiler(
        query: Any, using: Any = None, connection: Any = None, elide_empty: Any = True
    ) -> Any:
        concerned = hiding.concerns(query) and not is_asked_for(query)
        shown = hiding.filtered(query) if concerned else query
        compiler = _get_compiler(shown, using, connection, elide_empty)
        if concerned and query.select_related:
            hiding.load_related(compiler)
        return compiler

    def as_sql(query: Any, compiler: Any, connection: Any) -> Any:
        if is_asked_for(compiler.query) and not is_asked_for(query):
            # Django makes subqueries of its own, as for exclude(): they are the same statement.
            query = query.clone()
            ask(query)
        return _as_sql(query, compiler, connection)

    Query.get_compiler, Query.as_sql = get_compiler, as_sql
    QuerySet.include_closed = asking
    # A manager got its methods when its class was made.
    BaseManager.include_closed = lambda manager: asking(manager.get_queryset())
    show_forward(found)
    cover(found)
    keep_whole(found)
    keep_untouched(found)


class _IsOpen:
    """A condition in WHERE, as Django's own ``ExtraWhere`` is one."""

    contains_aggregate = False
    contains_over_clause = False

    def __init__(self, alias: str, table: str, found: People) -> None:
        self._alias, self._table, self._people = alias, table, found

    def as_sql(self, compiler: Any, _connection: Any) -> tuple[str, list[Any]]:
        condition = self._people.conditions[self._table]
        return condition.sql(self._alias, _quoting(compiler)), []

    def relabeled_clone(self, change_map: dict[str, str]) -> _IsOpen:
        alias = change_map.get(self._alias, self._alias)
        return _IsOpen(alias, self._table, self._people)

    def get_source_expressions(self) -> list[Any]:
        return []

    def get_refs(self) -> set[str]:
        return set()

    def get_group_by_cols(self) -> list[Any]:
        return []

    def replace_expressions(self, _replacements: Any) -> _IsOpen:
        return self


class _Hiding:
    """The filter for one model of people."""

    def __init__(self, found: People) -> None:
        self.people = found
        self.has_reverse = any(
            field.one_to_one and field.concrete
            for model in apps.get_models()
            if found.is_here(model)
            for field in model._meta.local_fields
        )
        people_of = found

        class OpenJoin(Join):
            """A join that finds no closed accounts; an outer one reads as NULL."""

            def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
                sql, parameters = super().as_sql(compiler, connection)
                condition = people_of.conditions[self.table_name]
                here = condition.sql(self.table_alias, _quoting(compiler))
                return f"{sql.removesuffix(')')} AND {here})", parameters

            @property
            def identity(self) -> tuple[Any, ...]:
                """Lets an order go by the join of what is read."""
                return (Join, *super().identity[1:])

        class LoneJoin(OpenJoin):
            """One that nothing shares."""

            @property
            def identity(self) -> tuple[Any, ...]:
                return (LoneJoin, *super().identity[1:])

        self._open, self._lone = OpenJoin, LoneJoin

    def concerns(self, query: Any) -> bool:
        """Return whether *query* can reach a person."""
        model = query.model
        if model is not None and model._meta.db_table in self.people.conditions:
            # A migration's model is of a registry of its own, and maybe older than the tombstone.
            return model._meta.apps is apps
        for join in query.alias_map.values():
            if join.table_name in self.people.conditions:
                return model is None or model._meta.apps is apps
        return self.has_reverse and isinstance(query.select_related, dict)

    def filtered(self, query: Any) -> Any:
        """Return a copy of *query* that leaves closed accounts out."""
        if query.compiler == INSERT:
            self._refuse_upsert(query)
            return query
        if query.compiler == AGGREGATE or query.combinator:
            return query
        query = query.clone()
        if not any(query.alias_refcount.values()):
            query.get_initial_alias()
        conditions = []
        for alias, table in query.alias_map.items():
            if query.alias_refcount[alias] and self.people.conditions.get(table.table_name):
                if isinstance(table, BaseTable):
                    conditions.append(_IsOpen(alias, table.table_name, self.people))
                elif type(table) is Join:
                    # An outer join that finds nobody who left cannot load them.
                    is_lone = query.select_related and table.join_type != INNER
                    query.alias_map[alias] = _as(self._lone if is_lone else self._open, table)
        if conditions:
            query.where = WhereNode([*_parts(query.where), *conditions], AND)
        return query

    def load_related(self, compiler: Any) -> None:
        """Have *compiler* look at what select_related() joins, once it has done so.

        From a person to a household is forward, and shows whoever is referred to. The other way
        is a search for people. What is joined afterwards, for an order, shares whichever there is.
        """
        set_up = compiler.setup_query

        def setup_query(*arguments: Any, **options: Any) -> None:
            set_up(*arguments, **options)
            joins = compiler.query.alias_map
            for alias, join in joins.items():
                if type(join) is self._lone or self._is_search(join):
                    joins[alias] = _as(self._open, join)

        compiler.setup_query = setup_query

    def _is_search(self, join: Any) -> bool:
        is_plain = type(join) is Join and join.table_name in self.people.conditions
        return is_plain and isinstance(join.join_field, ForeignObjectRel)

    def _refuse_upsert(self, query: Any) -> None:
        if query.on_conflict == OnConflict.UPDATE:
            raise UnfilteredStatementError(
                query.model._meta.label,
                "bulk_create(update_conflicts=True) may find one of them by its key, "
                "and write into it",
            )


def _as(kind: type[Join], join: Any) -> Join:
    """Return *join* as one of another kind."""
    return kind(
        join.table_name,
        join.parent_alias,
        join.table_alias,
        join.join_type,
        join.join_field,
        join.nullable,
        filtered_relation=join.filtered_relation,
    )


def _quoting(compiler: Any) -> Quote:
    """Return how *compiler* quotes names; before Django 6.1 it leaves its own aliases bare."""
    quote: Quote | None = getattr(compiler, "quote_name", None)
    return quote or compiler.quote_name_unless_alias


def _parts(where: Any) -> list[Any]:
    """Return what a WHERE has to be joined with by AND."""
    if where.connector == AND and not where.negated:
        return list(where.children)
    return [where]
