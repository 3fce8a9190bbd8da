"""Every query of docs/reference/visibility-django.md, executed on each database."""

import ast
import re
from datetime import UTC, datetime

import pytest

from efface.errors import EffaceError
from tests.django.conftest import ADA
from tests.support.django_projects.town.routers import Here
from tests.support.paths import DOCS

PAGE = DOCS / "reference" / "visibility-django.md"
ROW = re.compile(r"^\| `(.+?)` \|.*\|$", re.MULTILINE)
KINDS = ["Hidden", "Shown on purpose", "Refused", "Not covered"]
BEFORE = datetime(2020, 5, 10, tzinfo=UTC)
IMPORTED = (
    "django.contrib.auth.backends.AllowAllUsersModelBackend",
    "django.contrib.auth.backends.ModelBackend",
    "django.contrib.auth.forms.PasswordResetForm",
    "django.contrib.auth.models.Group",
    "django.contrib.contenttypes.models.ContentType",
    "django.core.serializers.serialize",
    "django.db.models.expressions.RawSQL",
    "django.db.models.functions.RowNumber",
    "django.forms.ModelChoiceField",
    "django.forms.ModelMultipleChoiceField",
    "django.shortcuts.get_list_or_404",
    "django.shortcuts.get_object_or_404",
)
REFUSALS = {"ClosedObjectError", "UnfilteredStatementError", "IntegrityError"}


def queries(section):
    """The lines of the table under a heading; there the application is called myapp."""
    text = PAGE.read_text().partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    found = [code.replace(r"\|", "|") for code in ROW.findall(text)]
    return [code.replace("myapp_", "town_") for code in found]


def test_the_page_has_every_kind_of_query():
    sections = re.findall(r"^## (.+)$", PAGE.read_text(), re.MULTILINE)

    assert sections == ["Summary", "Read the tables", *KINDS]
    found = sum(len(queries(section)) for section in sections)
    assert found == len(re.findall(r"^\| `", PAGE.read_text(), re.MULTILINE))
    assert found > 100


def test_the_summary_names_every_kind_and_the_ways_past_the_filter():
    summary = PAGE.read_text().partition("\n## Summary\n")[2].partition("\n## ")[0]

    assert re.findall(r"^\| \[(.+?)\]\(#", summary, re.MULTILINE) == KINDS
    assert "`with include_closed():`" in summary
    assert "`.include_closed()`" in summary


class Queries:
    """The town, which Ada has left; some rows still refer to her."""

    def __init__(self, town):
        from django.contrib.auth.models import Group

        self.town = town
        home = town.House.create(street="Main Street")
        # A key that is no count, and a day that nobody else joined.
        ada = town.person(id=8150, home=home, date_joined=BEFORE, **ADA)
        grace = town.person()
        trader = town.models.Trader(person_ptr=ada, vat="GB 1815")
        trader.save_base(raw=True, using=town.alias)
        self.letter = town.Post.create(author=ada, body="By Lovelace")
        other = town.Post.create(author=grace, body="By Hopper")
        town.Comment.create(post=self.letter, text="-")
        town.Comment.create(post=other, text="-")
        group = Group.objects.using(town.alias).create(name="gardeners")
        self.ada, self.grace = ada.pk, grace.pk
        town.close(ada.pk)
        # As where the rules let a membership or a reference stay.
        town.Post.filter(pk=self.letter.pk).update(editor=self.ada)
        person = town.models.Person
        for key in (self.ada, self.grace):
            person.groups.through.objects.using(town.alias).create(person_id=key, group=group)
        links = person.friends.through.objects.using(town.alias)
        links.create(from_person_id=self.grace, to_person_id=self.ada)
        links.create(from_person_id=self.ada, to_person_id=self.grace)
        town.Person.filter(pk=self.ada).update(is_active=True, password="md5$usable$hash")
        self.person = town.Person.get(pk=self.ada)

    def names(self):
        import django.db.models
        from django.utils.module_loading import import_string

        return {
            **vars(django.db.models),
            **vars(self.town.models),
            **{path.rpartition(".")[2]: import_string(path) for path in IMPORTED},
            "alias": self.town.alias,
            "ada": self.ada,
            "grace": self.grace,
            "post_pk": self.letter.pk,
            "username": self.person.username,
            "email": self.person.email,
            "rows": self.rows,
            "check_constraints": self.check_constraints,
            "historical": self.historical,
        }

    def rows(self, sql):
        from django.db import connections

        with connections[self.town.alias].cursor() as cursor:
            cursor.execute(sql)
            return [key for (key,) in cursor.fetchall()]

    def check_constraints(self):
        from django.db import connections

        connections[self.town.alias].check_constraints()

    def historical(self, model):
        from django.apps import apps
        from django.db.migrations.state import ProjectState

        return ProjectState.from_apps(apps).apps.get_model(model._meta.label)

    def asked(self, code):
        from efface.django import include_closed

        with include_closed():
            return self.run(code)

    def run(self, code):
        """Return what the last line of *code* gives, as plain values; undo what it does."""
        from django.core.exceptions import ObjectDoesNotExist, ValidationError
        from django.db import DatabaseError, transaction
        from django.http import Http404

        names = self.names()
        *before, last = ast.parse(code).body
        with transaction.atomic(using=self.town.alias):
            try:
                with transaction.atomic(using=self.town.alias):
                    exec(compile(ast.Module(before, []), code, "exec"), names)
                    found = eval(compile(ast.Expression(last.value), code, "eval"), names)
                    return values(found)
            except (
                DatabaseError,
                EffaceError,
                Http404,
                ObjectDoesNotExist,
                ValidationError,
            ) as error:
                return type(error).__name__
            finally:
                transaction.set_rollback(True, using=self.town.alias)


def values(found):
    """Objects by key, rows as lists in an order."""
    if isinstance(found, dict):
        return values(list(found.items()))
    if hasattr(found, "_meta"):
        return [type(found).__name__, found.pk]
    if hasattr(found, "__iter__") and not isinstance(found, str):
        return sorted((values(each) for each in found), key=repr)
    return found


def leaves(found):
    return [leaf for each in found for leaf in leaves(each)] if isinstance(found, list) else [found]


@pytest.fixture
def left(town):
    from django.test import override_settings

    with override_settings(DATABASE_ROUTERS=[Here(town.alias)]):
        yield Queries(town)


def test_what_is_hidden_is_hidden_unless_it_is_asked_for(left):
    found = {code: (left.run(code), left.asked(code)) for code in queries("Hidden")}

    assert {code: both for code, both in found.items() if both[0] == both[1]} == {}
    errors = {both[0] for both in found.values() if str(both[0]).endswith(("Error", "Exist"))}
    assert errors == {"DoesNotExist", "RelatedObjectDoesNotExist", "ValidationError"}
    # Whoever wrote a post cannot be deleted: then they are found.
    failed = {both[1] for both in found.values() if str(both[1]).endswith(("Error", "Exist"))}
    assert failed == {"ProtectedError"}


@pytest.mark.parametrize("section", ["Shown on purpose", "Not covered"])
def test_what_is_shown_is_shown(left, section):
    """A query that is filtered since is no longer worth a warning."""
    for code in queries(section):
        found = left.run(code)
        assert left.ada in leaves(found), code
        assert left.asked(code) == found, code


def test_what_is_refused_is_refused_and_changes_nothing(left):
    for code in queries("Refused"):
        assert left.run(code) in REFUSALS, code
