"""A deadlock ends Django's transaction; one of Efface's own is run again."""

from contextlib import contextmanager

import pytest

MEETS_OTHERS = """
    CREATE SEQUENCE tries;
    CREATE FUNCTION meet() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF nextval('tries') = 1 THEN RAISE EXCEPTION 'met' USING ERRCODE = '40P01'; END IF;
        RETURN NEW; END $$;
    CREATE TRIGGER meet BEFORE UPDATE OF email ON {table} FOR EACH ROW EXECUTE FUNCTION meet()"""

pytestmark = [
    pytest.mark.parametrize("alias", ["postgresql"], indirect=True),
    pytest.mark.postgresql,
]


@contextmanager
def meeting_others(town):
    """A block in which the database calls the first write of an address a deadlock."""
    from django.db import connections

    table = town.models.Person._meta.db_table
    with connections[town.alias].cursor() as cursor:
        cursor.execute(MEETS_OTHERS.format(table=table))
    try:
        yield
    finally:
        with connections[town.alias].cursor() as cursor:
            cursor.execute(f"DROP TRIGGER meet ON {table}; DROP FUNCTION meet; DROP SEQUENCE tries")


def test_efface_runs_its_own_transaction_again(town):
    ada = town.ada()

    with meeting_others(town):
        receipt = town.close(ada)

    assert not receipt.already_closed
    assert town.Person.get(pk=ada.pk).email != "ada@example.org"
    assert len(town.receipts()) == 1


def test_the_callers_transaction_is_the_callers(town):
    from django.db import transaction

    from efface.errors import RetryError

    ada = town.ada()

    with (
        meeting_others(town),
        pytest.raises(RetryError, match="deadlock"),
        transaction.atomic(town.alias),
    ):
        town.close(ada)

    assert town.Person.get(pk=ada.pk).email == "ada@example.org"
