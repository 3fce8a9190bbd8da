"""Decisions for models that come with Django and with packages often used beside it.

They hold where neither the model, nor the settings, nor a policy file decides about a table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db.models import Model

from efface.django.rules import Rules, TableRule, rules_of
from efface.django.schema.deleted_at_field import STOCK
from efface.policy.actions import (
    Clear,
    Delete,
    Placeholder,
    Redact,
    Replace,
    Retain,
    Revoke,
    Unlink,
)
from efface.policy.declarations import (
    CloseRule,
    RuleItem,
    SubjectRule,
    data_subject,
    no_personal_data,
    on_close,
    personal,
)
from efface.policy.relationships import Generic, MatchBy, OwnedBy

PERMISSIONS = ("groups", "user_permissions")
SIMPLE: Mapping[str, Rules] = {
    "auth.group": Rules(no_personal_data(reason="names of groups")),
    "auth.permission": Rules(no_personal_data(reason="what may be done, by anybody")),
    "auth.group_permissions": Rules(no_personal_data(reason="what groups may do")),
    "contenttypes.contenttype": Rules(no_personal_data(reason="names of models")),
    "sites.site": Rules(no_personal_data(reason="names of sites")),
    # Encoded, so no statement can look into them.
    "sessions.session": Rules(
        no_personal_data(reason="ended one by one when the account is closed")
    ),
    "authtoken.token": Rules(on_close(Revoke(), via="user")),
    "token_blacklist.blacklistedtoken": Rules(
        on_close(Redact(), via="token"), not_personal=["blacklisted_at"]
    ),
    "account.emailaddress": Rules(on_close(Delete(), via="user", identifiers=["email"])),
    "account.emailconfirmation": Rules(on_close(Delete(), via="email_address.user")),
    "socialaccount.socialaccount": Rules(on_close(Revoke(), via="user")),
    "socialaccount.socialtoken": Rules(on_close(Revoke(), via="account.user")),
    "socialaccount.socialapp": Rules(no_personal_data(reason="keys of the site at other services")),
    "socialaccount.socialapp_sites": Rules(no_personal_data(reason="keys of the site, by site")),
    "mfa.authenticator": Rules(on_close(Revoke(), via="user")),
    "usersessions.usersession": Rules(on_close(Revoke(), via="user")),
}

STOCK_USER = Rules(
    data_subject(identifiers=["email", "username", "first_name", "last_name"]),
    personal={
        "email": Placeholder.email(),
        "username": Placeholder(),
        "last_login": Clear(),
        **dict.fromkeys(["password", "first_name", "last_name"], Replace("")),
        **dict.fromkeys(["is_active", "is_staff", "is_superuser"], Replace(value=False)),
    },
    not_personal=["date_joined"],
)
"""What happens to Django's own users in a project that does not say who its people are."""


def stock_user(model: type[Model]) -> Rules | None:
    """Return the rules of Django's own users, if the project has them and *model* is theirs."""
    is_stock = model._meta.label == settings.AUTH_USER_MODEL == STOCK
    return STOCK_USER if is_stock else None


def preset(model: type[Model], *, people: tuple[type[Model], SubjectRule] | None) -> Rules | None:
    """Return what is decided about *model* where nobody else has.

    Args:
        model: The model of a table.
        people: Their model and what the project says of them; None where it says nothing.
    """
    # A row that goes must not be referred to.
    people_go = people is not None and isinstance(people[1].action, Delete)
    label = model._meta.label_lower
    if people is None and (stock := stock_user(model)):
        return stock
    if label == "admin.logentry":
        # They may be others than those who log in.
        name = people[0]._meta.label if people else settings.AUTH_USER_MODEL
        return _log_entries(name, people_go=people_go)
    if label == "token_blacklist.outstandingtoken":
        return _tokens(people_go=people_go)
    owner = model._meta.auto_created
    if owner and owner._meta.label == settings.AUTH_USER_MODEL:
        return _of_person(model, owner)
    return SIMPLE.get(label) or _history(model, people_go=people_go)


def _log_entries(people: str, *, people_go: bool) -> Rules:
    """Return the rules for the admin's log: who did something, and with whom.

    Who did it may not be missing there: entries of somebody whose row is deleted go as well.
    """
    about = Generic("content_type", "object_id", type=people)
    gone = {"object_id": personal(Clear(), via=about)} if people_go else {}
    return Rules(
        on_close(Delete() if people_go else Redact(), via="user"),
        on_close(Redact(), via=about),
        personal={
            "object_repr": personal(Replace(""), via=about),
            "change_message": personal(Replace(""), via=about),
            **gone,
        },
        not_personal=["action_time", "action_flag"],
    )


def _tokens(*, people_go: bool) -> Rules:
    """Return the rules for refresh tokens.

    A token is refused because it stands there: a row that goes would let it in again.
    """
    unlinked = {"user": Unlink()} if people_go else {}
    return Rules(
        on_close(Redact(), via="user"),
        personal={"token": Replace(""), **unlinked},
        not_personal=["jti", "created_at", "expires_at"],
    )


def _of_person(model: type[Model], owner: type[Model]) -> Rules | None:
    names = {field.remote_field.through: field.name for field in owner._meta.local_many_to_many}
    if names.get(model) not in PERMISSIONS:
        return None
    return Rules(on_close(Delete(), via=owner._meta.model_name))


def _history(model: type[Model], *, people_go: bool) -> Rules | None:
    """Return the rules for a table in which django-simple-history keeps former rows.

    A former row is found as the row was, and goes with it; what is retained keeps its history.
    """
    tracked: Any = getattr(model, "instance_type", None)
    if tracked is None or not hasattr(model, "history_date"):
        return None
    rules = rules_of(tracked)
    if rules is None or any(
        isinstance(getattr(rule, "via", None), OwnedBy) for rule in rules.row_rules
    ):
        return None
    rule_items = [rule_item for rule in rules.row_rules if (rule_item := _of_former(rule, tracked))]
    fields = [field.name for field in model._meta.local_concrete_fields if not field.primary_key]
    if "history_user" not in fields:
        return Rules(*rule_items or [no_personal_data(reason="former rows that are about nobody")])
    # Who changed a row of somebody else's.
    if people_go:
        fields.remove("history_user")
        by = personal(Unlink(), via="history_user")
        rule_items.append(on_close(Redact(), via="history_user"))
        return Rules(*rule_items, personal={"history_user": by}, not_personal=fields)
    # The reference leads to what remains of that person.
    rule_items = rule_items or [no_personal_data(reason="former rows that are about nobody")]
    return Rules(*rule_items, not_personal=["history_user"])


def _of_former(rule: TableRule, tracked: Any) -> RuleItem | None:
    """Return what happens to former rows of the *tracked* model; None where it is about nobody."""
    if isinstance(rule, SubjectRule):
        key = tracked._meta.pk.name
        return on_close(Delete(), via=MatchBy(key, equals=f"{tracked._meta.label}.{key}"))
    if isinstance(rule, CloseRule):
        action = rule.action if isinstance(rule.action, Retain) else Delete()
        return on_close(action, via=rule.via)
    return None
