"""Runs in a process of its own: closes the account of a customer, and prints what is left."""

import json
import os

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.support.django_projects.shop.settings"

import django

django.setup()

from django.apps import apps
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection, transaction

from efface.django import close_account, eraser, sqlalchemy_connection
from efface.django.policy.erasers import find_problems, load_eraser
from efface.testing import assert_no_trace, populate
from tests.support.django_projects.shop.customers import customer, shop

ADA = {"username": "lovelace1815", "first_name": "Augusta", "last_name": "Lovelace"}
GRACE = {"username": "hopper1906", "first_name": "Brewster", "last_name": "Hopper"}
SUMS = ("number", "currency", "total_incl_tax", "total_excl_tax", "shipping_incl_tax", "status")


def rows():
    """Return every row of every table but those of Efface and of Django's migrations."""
    found = set()
    with connection.cursor() as cursor:
        for name in connection.introspection.table_names(cursor):
            if name not in ("efface_closings", "django_migrations"):
                cursor.execute(f'SELECT * FROM "{name}"')
                found |= {(name, *map(str, row)) for row in cursor.fetchall()}
    return found


def left_of(identifiers, subject):
    with transaction.atomic(), sqlalchemy_connection("default") as bind:
        try:
            assert_no_trace(bind, eraser().policy, identifiers, subject=subject)
        except AssertionError as error:
            return str(error)
    return ""


def story():
    goods = shop()
    customer(GRACE, "7 Norfolk Street", goods)
    others = rows()
    ada = customer(ADA, "12 Marylebone Road", goods)
    # A new review is also counted at what it is about.
    others &= rows()
    key, orders = ada.pk, ada.orders.values_list(*SUMS)
    kept = list(orders)
    identifiers = [*ADA.values(), ada.email, "12 Marylebone Road"]
    was_there = left_of(identifiers, key) != ""
    receipt = close_account(ada, actor="self-service")
    numbers = [order[0] for order in kept]
    order = apps.get_model("order", "Order")
    return {
        "was_there": was_there,
        "left": left_of(identifiers, key),
        "found": [f"{each.table}.{each.column}" for each in receipt.search.findings],
        "changed": sorted(row[0] for row in others - rows()),
        "orders_are_as_before": kept
        == list(order.objects.filter(number__in=numbers).values_list(*SUMS)),
        "customers_of_orders": list(
            order.objects.filter(number__in=numbers).values_list("user", flat=True)
        ),
        "account": User.objects.filter(pk=key).exists(),
    }


def everywhere():
    """Fill every column of every table, and close the account."""
    with transaction.atomic(), sqlalchemy_connection("default") as bind:
        people = populate(bind, eraser().policy)
    receipt = close_account(people.user.key, actor="self-service")
    return {
        "left": left_of(people.user.traces, people.user.key),
        "found": [f"{each.table}.{each.column}" for each in receipt.search.findings],
        "bystander": User.objects.filter(pk=people.bystander.key).exists(),
    }


call_command("migrate", verbosity=0, skip_checks=True)
print(
    json.dumps(
        {
            "tables": len(load_eraser("default").schema.models),
            "problems": [str(problem) for problem in find_problems("default")],
            "story": story(),
            "everywhere": everywhere(),
        }
    )
)
