"""Hide closed accounts from each query of Django's ORM, whichever manager made it.

Efface filters a query when Django compiles it to SQL. A custom manager would filter only its own
model, but queries also join users, count them in subqueries and update them in bulk. Efface filters
a copy, so the same query can run again in an `include_closed` block.
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

from efface.django.hiding.forward_relations import load_closed_forward
from efface.django.hiding.include_closed_querysets import is_requested, request_closed, with_closed
from efface.django.hiding.multi_statement_writes import guard_multi_statement_writes
from efface.django.hiding.stale_instances import guard_model_methods
from efface.django.hiding.unchanged_references import allow_unchanged_references
from efface.django.hiding.user_rows import Quote, UserRows, find_user_rows
from efface.errors import UnfilteredStatementError

_get_compiler, _as_sql = Query.get_compiler, Query.as_sql
INSERT, AGGREGATE = "SQLInsertCompiler", "SQLAggregateCompiler"


def install() -> None:
    """Hide the closed accounts of the user model. Django has to have loaded all models."""
    users = find_user_rows()
    if users is None:
        return
    query_filter = _QueryFilter(users)

    def get_compiler(
        query: Any, using: Any = None, connection: Any = None, elide_empty: Any = True
    ) -> Any:
        is_filtered = query_filter.can_reach_users(query) and not is_requested(query)
        filtered = query_filter.add_conditions(query) if is_filtered else query
        compiler = _get_compiler(filtered, using, connection, elide_empty)
        if is_filtered and query.select_related:
            query_filter.filter_related(compiler)
        return compiler

    def as_sql(query: Any, compiler: Any, connection: Any) -> Any:
        if is_requested(compiler.query) and not is_requested(query):
            # For exclude() Django makes a subquery itself. It is part of the outer statement, so it
            # inherits the setting.
            query = query.clone()
            request_closed(query)
        return _as_sql(query, compiler, connection)

    Query.get_compiler, Query.as_sql = get_compiler, as_sql
    QuerySet.include_closed = with_closed
    # Managers copy the methods of QuerySet when Python defines their class, so a method that is
    # added later is missing there.
    BaseManager.include_closed = lambda manager: with_closed(manager.get_queryset())
    load_closed_forward(users)
    guard_model_methods(users)
    guard_multi_statement_writes(users)
    allow_unchanged_references(users)


class _OpenCondition:
    """A condition in WHERE, with the methods that Django's ``ExtraWhere`` has."""

    contains_aggregate = False
    contains_over_clause = False

    def __init__(self, alias: str, table: str, users: UserRows) -> None:
        self._alias, self._table, self._users = alias, table, users

    def as_sql(self, compiler: Any, _connection: Any) -> tuple[str, list[Any]]:
        condition = self._users.conditions[self._table]
        return condition.to_sql(self._alias, _get_quote(compiler)), []

    def relabeled_clone(self, change_map: dict[str, str]) -> _OpenCondition:
        alias = change_map.get(self._alias, self._alias)
        return _OpenCondition(alias, self._table, self._users)

    def get_source_expressions(self) -> list[Any]:
        return []

    def get_refs(self) -> set[str]:
        return set()

    def get_group_by_cols(self) -> list[Any]:
        return []

    def replace_expressions(self, _replacements: Any) -> _OpenCondition:
        return self


class _QueryFilter:
    """Filter the queries of one user model."""

    def __init__(self, users: UserRows) -> None:
        self.users = users
        self.has_reverse_one_to_one = any(
            field.one_to_one and field.concrete
            for model in apps.get_models()
            if users.has_rows_in(model)
            for field in model._meta.local_fields
        )

        class OpenJoin(Join):
            """A join that skips closed accounts. An outer join returns NULL for them."""

            def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
                # Django writes `ON (...)`. The condition belongs inside, because in WHERE it would
                # remove the rows that an outer join keeps.
                sql, parameters = super().as_sql(compiler, connection)
                condition = users.conditions[self.table_name]
                condition_sql = condition.to_sql(self.table_alias, _get_quote(compiler))
                return f"{sql.removesuffix(')')} AND {condition_sql})", parameters

            @property
            def identity(self) -> tuple[Any, ...]:
                """Let Django reuse this join for ORDER BY, as if it were a plain `Join`."""
                return (Join, *super().identity[1:])

        class UnsharedJoin(OpenJoin):
            """A join that Django does not reuse for other parts of the query."""

            @property
            def identity(self) -> tuple[Any, ...]:
                return (UnsharedJoin, *super().identity[1:])

        self._open, self._unshared = OpenJoin, UnsharedJoin

    def can_reach_users(self, query: Any) -> bool:
        """Return whether *query* can read or write rows of users."""
        model = query.model
        if model is not None and model._meta.db_table in self.users.conditions:
            # Models inside a migration are in another registry, and may be older than the column.
            return model._meta.apps is apps
        for join in query.alias_map.values():
            if join.table_name in self.users.conditions:
                return model is None or model._meta.apps is apps
        return self.has_reverse_one_to_one and isinstance(query.select_related, dict)

    def add_conditions(self, query: Any) -> Any:
        """Return a copy of *query* that skips closed accounts.

        Raises:
            UnfilteredStatementError: an upsert could write into the row of a closed account.
        """
        if query.compiler == INSERT:
            self._refuse_upsert(query)
            return query
        # Django compiles the inner queries separately, and they are filtered then.
        if query.compiler == AGGREGATE or query.combinator:
            return query
        query = query.clone()
        # A query without conditions, such as `all()`, has no table yet that could be filtered.
        if not any(query.alias_refcount.values()):
            query.get_initial_alias()
        conditions = []
        for alias, table in query.alias_map.items():
            if query.alias_refcount[alias] and self.users.conditions.get(table.table_name):
                if isinstance(table, BaseTable):
                    conditions.append(_OpenCondition(alias, table.table_name, self.users))
                elif type(table) is Join:
                    # select_related() may load the user through an outer join, and must show a
                    # closed account there. A join of its own keeps the two apart.
                    is_unshared = query.select_related and table.join_type != INNER
                    query.alias_map[alias] = _convert_join(
                        self._unshared if is_unshared else self._open, table
                    )
        if conditions:
            query.where = WhereNode([*_split_where(query.where), *conditions], AND)
        return query

    def filter_related(self, compiler: Any) -> None:
        """Make *compiler* filter the joins that select_related() adds, after it has added them.

        From a user to a household the relation is forward, so it shows a closed account. The
        reverse relation searches for users, so it is filtered. A join that Django adds later for
        ORDER BY reuses the existing join.
        """
        original = compiler.setup_query

        def setup_query(*arguments: Any, **options: Any) -> None:
            original(*arguments, **options)
            joins = compiler.query.alias_map
            for alias, join in joins.items():
                if type(join) is self._unshared or self._is_search(join):
                    joins[alias] = _convert_join(self._open, join)

        compiler.setup_query = setup_query

    def _is_search(self, join: Any) -> bool:
        is_plain = type(join) is Join and join.table_name in self.users.conditions
        return is_plain and isinstance(join.join_field, ForeignObjectRel)

    def _refuse_upsert(self, query: Any) -> None:
        if query.on_conflict == OnConflict.UPDATE:
            raise UnfilteredStatementError(
                query.model._meta.label,
                "bulk_create(update_conflicts=True) could find one by its key and write to it",
                "visibility-django",
            )


def _convert_join(kind: type[Join], join: Any) -> Join:
    """Return a copy of *join* that has the class *kind*."""
    return kind(
        join.table_name,
        join.parent_alias,
        join.table_alias,
        join.join_type,
        join.join_field,
        join.nullable,
        filtered_relation=join.filtered_relation,
    )


def _get_quote(compiler: Any) -> Quote:
    """Return the function with which *compiler* quotes names.

    Before Django 6.1 it does not quote the aliases that Django makes.
    """
    quote: Quote | None = getattr(compiler, "quote_name", None)
    return quote or compiler.quote_name_unless_alias


def _split_where(where: Any) -> list[Any]:
    """Return the conditions of a WHERE that can be combined with another one by AND."""
    if where.connector == AND and not where.negated:
        return list(where.children)
    return [where]
