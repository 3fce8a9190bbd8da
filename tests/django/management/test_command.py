"""``manage.py efface``: what docs/reference/cli.md says of ``efface``, on Django's databases."""

import json
from contextlib import contextmanager
from datetime import date, timedelta

import pytest

from efface import Plan, Receipt
from tests.django.management.towns import with_ada
from tests.support.django_projects import processes


@contextmanager
def without(town, table):
    """Take a table away, as where nobody has migrated."""
    from django.db import connections

    def rename(old, new):
        with connections[town.alias].cursor() as cursor:
            cursor.execute(f"ALTER TABLE {old} RENAME TO {new}")

    rename(table, "taken_away")
    try:
        yield
    finally:
        rename("taken_away", table)


# ---------------------------------------------------------------- statuses


def test_a_key_that_nobody_has_is_wrong_usage(ended):
    done = ended("plan", 99)

    assert done.status == 2
    assert "E401 UnknownSubjectError" in done.error


def test_a_key_of_another_kind_is_wrong_usage(ended):
    done = ended("close", "Ada", "--actor", "x")

    assert done.status == 2
    assert "E406 SubjectKeyError" in done.error
    assert "Ada" not in done.error


@pytest.mark.parametrize("actor", ["", "x" * 201])
def test_an_actor_of_no_or_too_many_letters_is_wrong_usage(ended, town, actor):
    done = ended("close", town.ada().pk, "--actor", actor)

    assert done.status == 2
    assert "--actor must be 1 to 200 characters long." in done.error
    assert town.receipts() == []


def test_a_stale_plan_is_refused(ended, town, tmp_path):
    ada = town.ada()
    (tmp_path / "plan.json").write_text(ended("plan", ada.pk, "--json").out)
    town.Letter.create(address=ada.email)

    done = ended("close", ada.pk, "--actor", "x", "--plan", tmp_path / "plan.json")

    assert done.status == 1
    assert "E402 StalePlanError" in done.error
    assert town.receipts() == []


@pytest.mark.parametrize(
    ("content", "says"), [(None, "can't be opened"), ("no json", "is not a plan")]
)
def test_a_file_that_is_no_plan_is_wrong_usage(ended, town, tmp_path, content, says):
    path = tmp_path / "plan.json"
    if content is not None:
        path.write_text(content)

    done = ended("close", town.ada().pk, "--actor", "x", "--plan", path)

    assert done.status == 2
    assert says in done.error
    assert town.receipts() == []


@pytest.mark.parametrize("act", ["check", "plan 1", "close 1 --actor x", "closed", "work --once"])
@pytest.mark.parametrize("alias", ["nope", "default"])
def test_a_database_without_the_people_is_one_sentence(ended, settings_of, act, alias):
    from django.test import override_settings

    routers = ["tests.support.django_projects.town.routers.NobodyInDefault"]
    with override_settings(DATABASE_ROUTERS=routers), settings_of():
        done = ended(*act.split(), database=alias)

    assert done.status == 1
    assert f"town.Person is not in the database {alias}. " in done.error
    assert done.out == ""


# ---------------------------------------------------------------- before migrate


def test_closings_cannot_be_listed_before_somebody_has_migrated(ended, town):
    with without(town, "efface_closings"):
        done = ended("closed")

    assert done.status == 3
    assert f"manage.py migrate --database {town.alias}" in done.error


@pytest.mark.parametrize(
    ("statement", "status"),
    [
        ("DROP TABLE efface_closings", 3),
        ("ALTER TABLE town_person DROP COLUMN deleted_at", 1),
        ('ALTER TABLE town_person DROP COLUMN "nickName"', 3),
    ],
)
@pytest.mark.slow
def test_a_database_that_nobody_has_migrated_says_what_to_run(site, statement, status):
    site.execute(statement)

    for arguments in (["plan", 1], ["close", 1, "--actor", "x"]):
        done = site.ended("efface", *arguments)

        assert done.returncode == status
        assert "First, run: manage.py migrate --database default" in done.stderr
        assert "Traceback" not in done.stderr
        assert "op." not in done.stderr


@pytest.mark.slow
def test_a_database_that_is_not_there_is_one_sentence(site):
    site.environment["TOWN_DATABASE"] = str(site.path.parent / "nowhere" / "town.db")

    done = site.ended("efface", "plan", 1, "--skip-checks")

    assert done.returncode == 3
    assert "The database reported an error (OperationalError)." in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_second_pass_that_fails_leaves_the_account_closed_and_says_so(site):
    site.execute(
        "CREATE TRIGGER no BEFORE UPDATE ON efface_closings "
        "BEGIN SELECT RAISE(ABORT, 'Lovelace stays'); END"
    )

    done = site.ended("efface", "close", 1, "--actor", "x")

    (receipt,) = site.receipts()
    assert done.returncode == 3
    assert f"The account is closed, receipt {receipt['reference']}. " in done.stderr
    assert "manage.py efface work --once" in done.stderr
    assert "Lovelace" not in done.stdout + done.stderr
    assert not site.is_open(1)


# ---------------------------------------------------------------- plan


def test_the_plan_of_a_closed_account_says_since_when(ended, town):
    ada = town.ada()
    receipt = town.close(ada)

    done = ended("plan", ada.pk)

    moment = receipt.closed_at.strftime("%Y-%m-%d %H:%M UTC")
    assert done.status == 0
    assert done.out == (
        f"This account was closed on {moment}: receipt {receipt.reference}. "
        "Closing it again changes nothing.\n"
    )


def test_the_json_of_a_plan_is_a_plan_also_of_a_closed_account(ended, town):
    ada = town.ada()
    town.close(ada)

    done = ended("plan", ada.pk, "--json")

    assert Plan.from_json(done.out).is_empty
    assert "This account was closed on " in done.error


def test_the_statements_of_a_plan_hold_no_value(ended, town):
    done = ended("plan", town.ada().pk, "--sql")

    assert done.status == 0
    assert "UPDATE town_person" in done.out
    assert "ada" not in done.out.lower()
    assert ended("plan", "Ada", "--sql").status == 2


# ---------------------------------------------------------------- close, verify


def test_what_the_search_still_finds_is_said_with_what_to_do(ended, town):
    ada = town.ada()
    town.Tag.create(slug="lovelace")

    done = ended("close", ada.pk, "--actor", "x")

    (receipt,) = town.receipts()
    assert done.status == 4
    assert "still found in town_tag.slug (1)" in done.out
    assert f"The account is closed, receipt {receipt.reference}." in done.error
    assert "town_tag.slug" in done.error
    assert "another user may have the same name" in done.error
    assert "ovelace" not in done.out + done.error


def test_a_search_for_a_key_that_no_row_has_says_so(ended, tmp_path):
    (tmp_path / "names").write_text("Lovelace\n")

    done = ended("verify", 99, "--identifiers", tmp_path / "names")

    assert done.status == 0
    assert done.error == (
        "No row of town_person has this primary key. Efface searches for the identifiers anyway.\n"
    )
    assert "clean" in done.out


def test_a_search_says_where_records_are_kept(ended, town, tmp_path):
    ada = town.ada()
    town.Receipt.create(person=ada, issued_on="2026-01-31", name="Lovelace")
    town.close(ada)
    (tmp_path / "names").write_text("Lovelace\n")

    done = ended("verify", ada.pk, "--identifiers", tmp_path / "names")

    assert (done.status, done.error) == (0, "")
    assert "  kept    town_receipt.name: 1" in done.out


# ---------------------------------------------------------------- closed


@pytest.mark.parametrize(
    ("since", "number"), [("2026", 1), ("2026-01", 1), ("2026-01-31", 1), ("3026-02", 0)]
)
def test_closings_are_listed_since_a_year_a_month_or_a_day(ended, town, since, number):
    town.close(town.ada())

    done = ended("closed", "--since", since, "--json")

    found = [Receipt.from_json(json.dumps(each)) for each in json.loads(done.out)]
    assert [done.status, len(found)] == [0, number]


@pytest.mark.slow
def test_closings_are_listed_since_a_day_where_django_reads_no_time_zones(tmp_path):
    site = with_ada(processes.Town(tmp_path, USE_TZ=False, TIME_ZONE="Pacific/Honolulu"))
    site.manage("efface", "close", 1, "--actor", "x")
    (receipt,) = site.receipts()
    day = date.fromisoformat(receipt["closed_at"][:10])

    said = [site.manage("efface", "closed", "--since", day + timedelta(days=n)) for n in (0, 1)]

    assert [text.splitlines()[-1] for text in said] == ["1 account closure.", "0 account closures."]


def test_what_is_no_date_is_wrong_usage(ended):
    done = ended("closed", "--since", "yesterday")

    assert done.status == 2
    assert "2026, 2026-01 or 2026-01-31" in done.error


# ---------------------------------------------------------------- check


@pytest.mark.parametrize(("strict", "status"), [([], 0), (["--strict"], 1)])
def test_a_warning_stops_only_who_is_strict(ended, settings_of, strict, status):
    from efface import Delete, MatchBy, on_close
    from efface.django import Rules

    by_value = MatchBy("object_repr", equals="town.Person.email")
    with settings_of(RULES={"admin.LogEntry": Rules(on_close(Delete(), via=by_value))}):
        done = ended("check", *strict)

    assert done.status == status, done
    assert "W101" in done.out


def test_a_check_says_how_much_is_decided(ended):
    done = ended("check", "--json")

    assert done.status == 0
    assert json.loads(done.out) == {"errors": 0, "problems": []}
    assert ended("check").out.endswith(" columns: no problems.\n")


def test_every_decision_is_printed_as_a_markdown_table(ended):
    done = ended("check", "--table")

    assert done.out.startswith("| Table ")
    assert "| town_person " in done.out


# ---------------------------------------------------------------- what is typed


@pytest.mark.slow
def test_without_a_command_they_are_named(site):
    done = site.ended("efface")

    assert done.returncode == 2
    assert "Name a command: check, plan, close, verify, closed, work, adopt" in done.stderr


@pytest.mark.slow
def test_each_command_says_what_it_does(site):
    from efface.django.management.parser import COMMANDS

    said = {name: site.ended("efface", name, "--help").stdout for name in COMMANDS}

    assert "On a terminal, Efface first shows the plan and asks you." in " ".join(
        said["close"].split()
    )
    assert all(text.split("\n\n")[1][0].isupper() for text in said.values()), said


@pytest.mark.slow
def test_options_of_django_stand_also_behind_the_command(site):
    settings = site.environment["DJANGO_SETTINGS_MODULE"]
    options = ("--settings", settings, "--traceback", "--no-color", "--verbosity", "0")

    assert site.manage("efface", "closed", *options) == "0 account closures.\n"
    assert site.manage("efface", *options, "closed") == "0 account closures.\n"
    assert "Traceback" in site.ended("efface", "plan", 99, "--traceback").stderr
    assert "Traceback" in site.ended("efface", "--traceback", "plan", 99).stderr
