"""Provide rules for the models of Django itself and of packages that projects often use.

A preset applies if neither the model, nor the settings, nor a policy file has rules for a table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.db.models import Model

from efface.django.rules import Rules, TableRule
from efface.django.schema.deleted_at_field import BUILTIN_USER
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

PERMISSION_FIELDS = ("groups", "user_permissions")
PRESETS: Mapping[str, Rules] = {
    "auth.group": Rules(no_personal_data(reason="names of groups")),
    "auth.permission": Rules(no_personal_data(reason="permissions of the application")),
    "auth.group_permissions": Rules(no_personal_data(reason="permissions of groups")),
    "contenttypes.contenttype": Rules(no_personal_data(reason="names of models")),
    "sites.site": Rules(no_personal_data(reason="names of sites")),
    # The user's key is inside the encoded session, so no SQL condition can find it.
    "sessions.session": Rules(
        no_personal_data(reason="Efface ends them one by one when it closes an account")
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

BUILTIN_USER_RULES = Rules(
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
"""The rules for Django's built-in users, if the project has no rule with data_subject()."""


def find_builtin_user_rules(model: type[Model]) -> Rules | None:
    """Return the rules for Django's built-in users, if *model* is theirs and in use."""
    is_builtin_user = model._meta.label == settings.AUTH_USER_MODEL == BUILTIN_USER
    return BUILTIN_USER_RULES if is_builtin_user else None


def find_preset(
    model: type[Model],
    *,
    subject: tuple[type[Model], SubjectRule] | None,
    get_rules: Callable[[type[Model]], Rules | None],
) -> Rules | None:
    """Return the preset for *model*, or None.

    Args:
        model: The model of a table.
        subject: The user model and its rule, or None if the project has no such rule.
        get_rules: Returns the rules for the rows of a model, wherever they are written.
    """
    # If the user's row is deleted, no other row may keep a reference to it.
    deletes_user_rows = subject is not None and isinstance(subject[1].action, Delete)
    label = model._meta.label_lower
    if subject is None and (builtin_rules := find_builtin_user_rules(model)):
        return builtin_rules
    if label == "admin.logentry":
        # The model with data_subject() need not be the one that logs in.
        name = subject[0]._meta.label if subject else settings.AUTH_USER_MODEL
        return _log_entry_rules(name, deletes_user_rows=deletes_user_rows)
    if label == "token_blacklist.outstandingtoken":
        return _refresh_token_rules(deletes_user_rows=deletes_user_rows)
    owner = model._meta.auto_created
    if owner and owner._meta.label == settings.AUTH_USER_MODEL:
        return _permission_rules(model, owner)
    tracked_model: Any = getattr(model, "instance_type", None)
    if label in PRESETS or tracked_model is None or not hasattr(model, "history_date"):
        return PRESETS.get(label)
    rules = get_rules(tracked_model)
    return _history_rules(model, tracked_model, rules, deletes_user_rows=deletes_user_rows)


def _log_entry_rules(subject: str, *, deletes_user_rows: bool) -> Rules:
    """Return the rules for the admin's log, for entries by the user and about the user.

    An entry needs its author. If the policy deletes the user's row, it deletes the user's entries
    too.
    """
    generic_key = Generic("content_type", "object_id", type=subject)
    object_id_rules = {"object_id": personal(Clear(), via=generic_key)} if deletes_user_rows else {}
    return Rules(
        on_close(Delete() if deletes_user_rows else Redact(), via="user"),
        on_close(Redact(), via=generic_key),
        personal={
            "object_repr": personal(Replace(""), via=generic_key),
            "change_message": personal(Replace(""), via=generic_key),
            **object_id_rules,
        },
        not_personal=["action_time", "action_flag"],
    )


def _refresh_token_rules(*, deletes_user_rows: bool) -> Rules:
    """Return the rules for refresh tokens of simplejwt.

    The package refuses a revoked token because its row exists. Without the row the token would work
    again, so the row stays.
    """
    unlink_rules = {"user": Unlink()} if deletes_user_rows else {}
    return Rules(
        on_close(Redact(), via="user"),
        personal={"token": Replace(""), **unlink_rules},
        not_personal=["jti", "created_at", "expires_at"],
    )


def _permission_rules(model: type[Model], owner: type[Model]) -> Rules | None:
    """Return the rules for the groups and permissions of the user model."""
    names = {field.remote_field.through: field.name for field in owner._meta.local_many_to_many}
    if names.get(model) not in PERMISSION_FIELDS:
        return None
    return Rules(on_close(Delete(), via=owner._meta.model_name))


def _history_rules(
    model: type[Model], tracked_model: Any, rules: Rules | None, *, deletes_user_rows: bool
) -> Rules | None:
    """Return the rules for a table of django-simple-history, which keeps previous versions of rows.

    Efface finds a previous version by the same relationships as its row, and deletes it. If the row
    is retained, its previous versions are too.
    """
    if rules is None or any(
        isinstance(getattr(rule, "via", None), OwnedBy) for rule in rules.row_rules
    ):
        return None
    rule_items = [
        rule_item
        for rule in rules.row_rules
        if (rule_item := _convert_to_history(rule, tracked_model))
    ]
    fields = [field.name for field in model._meta.local_concrete_fields if not field.primary_key]
    if "history_user" not in fields:
        return Rules(*rule_items or [no_personal_data(reason="former rows without personal data")])
    # The user may have changed rows of other users, so only the reference is removed.
    if deletes_user_rows:
        fields.remove("history_user")
        unlink = personal(Unlink(), via="history_user")
        rule_items.append(on_close(Redact(), via="history_user"))
        return Rules(*rule_items, personal={"history_user": unlink}, not_personal=fields)
    # The reference stays, because the tombstone row remains.
    rule_items = rule_items or [no_personal_data(reason="former rows without personal data")]
    return Rules(*rule_items, not_personal=["history_user"])


def _convert_to_history(rule: TableRule, tracked_model: Any) -> RuleItem | None:
    """Return the rule for previous versions of *tracked_model*, or None if they need no rule."""
    if isinstance(rule, SubjectRule):
        key = tracked_model._meta.pk.name
        return on_close(Delete(), via=MatchBy(key, equals=f"{tracked_model._meta.label}.{key}"))
    if isinstance(rule, CloseRule):
        action = rule.action if isinstance(rule.action, Retain) else Delete()
        return on_close(action, via=rule.via)
    return None
