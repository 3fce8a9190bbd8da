"""Read the setting ``EFFACE``, a dictionary, each time that Efface needs it.

EFFACE = {
    "SECRET": os.environ["EFFACE_SECRET"],
    "POLICY": BASE_DIR / "efface.toml",
    "RULES": {"sites": no_personal_data(reason="names of sites")},
}

``USER_MODEL`` names a user model that you cannot edit. Efface adds the field ``deleted_at`` to it.
`page_settings` reads the settings of the page.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from django.apps import apps
from django.conf import settings
from django.db.models import Model
from django.http import HttpRequest
from django.utils.module_loading import import_string

from efface.django.rules import Rules
from efface.eraser.call_context import utc_now
from efface.errors import SettingsError
from efface.page.blockers import Blocker
from efface.page.confirmation_email import Send
from efface.page.consequences import Labels
from efface.page.local_paths import is_local_path
from efface.policy.declarations import RuleItem
from efface.policy.did_you_mean import did_you_mean

PAGE_SETTINGS = (
    "BLOCKERS",
    "CHECK_PASSWORD",
    "CLEAR_COOKIES",
    "CONFIRMATION_EMAIL",
    "HAS_RECENT_LOGIN",
    "IDENTIFY",
    "LABELS",
    "LIVE",
    "LOGOUT_PATH",
    "RECENT_LOGIN",
    "RECIPIENTS",
    "REDIRECT_PATH",
)
KNOWN = ("SECRET", "POLICY", "RULES", "STRICT", "CLOCK", "USER_MODEL", *PAGE_SETTINGS)
DEFAULT_RECENT_LOGIN = timedelta(minutes=10)


@runtime_checkable
class LivePages(Protocol):
    """The interface of ``LIVE``, because `efface.django.live.Live` imports this module."""

    path: str

    def end_soon(self, subject: Hashable) -> None:
        """Log out and close every open socket of a user."""


@dataclass(frozen=True)
class EffaceSettings:
    """The settings of the policy and the engine in ``EFFACE``.

    ``strict`` tells whether the problems of the policy stop the project, such as in ``runserver``.
    Otherwise they are warnings, and only closures are refused.
    """

    strict: bool
    secret: bytes | str = field(repr=False)
    policy: Path | None
    rules: Mapping[str, Rules]
    clock: Callable[[], datetime]

    def rules_for(self, model: type[Model]) -> Rules | None:
        """Return the rules for *model*, under its own label or the label of its app."""
        options = model._meta
        return self.rules.get(options.label_lower) or self.rules.get(options.app_label)


@dataclass(frozen=True)
class PageSettings:
    """The settings of the closing page in ``EFFACE``.

    - ``blockers`` takes the user and returns what prevents closing the account.
    - ``check_password`` takes the request and a password, and returns True if it is correct.
    - ``recent_login`` is how long a login counts as proof if the user has no password.
    - ``has_recent_login`` takes the request and replaces ``recent_login``.
    - ``redirect_path`` is the page after the closure. None is the goodbye page.
    - ``identify`` takes the request and returns the primary key of the user, or None.
    - ``confirmation_email`` takes the user under the lock. It returns None, or a function that
      takes a `ConfirmationEmail` after the commit.
    - ``live`` is the WebSocket endpoint. Its script sends DELETE to ``logout_path``.
    """

    blockers: Callable[[Any], Iterable[Blocker]] | None = None
    check_password: Callable[[HttpRequest, str], bool] | None = None
    recent_login: timedelta = DEFAULT_RECENT_LOGIN
    recipients: tuple[str, ...] = ()
    redirect_path: str | None = None
    clear_cookies: tuple[str, ...] = ()
    labels: Labels | None = None
    identify: Callable[[HttpRequest], Any] | None = None
    has_recent_login: Callable[[HttpRequest], bool] | None = None
    confirmation_email: Callable[[Any], Send | None] | None = None
    live: LivePages | None = None
    logout_path: str | None = None


def page_settings() -> PageSettings:
    """Return the settings of the closing page.

    Raises:
        SettingsError: a value has the wrong type, or a dotted path cannot be imported.
    """
    values = _read_dictionary()
    recent = values.get("RECENT_LOGIN", DEFAULT_RECENT_LOGIN)
    if not isinstance(recent, timedelta) or recent <= timedelta():
        raise SettingsError(
            'EFFACE needs a positive timedelta in RECENT_LOGIN: "RECENT_LOGIN": '
            "timedelta(minutes=10)"
        )
    redirect_path = values.get("REDIRECT_PATH")
    if redirect_path is not None and not _is_path_or_name(redirect_path):
        raise SettingsError(
            "EFFACE needs a path of this site, or the name of a route, in REDIRECT_PATH."
        )
    # The function replaces the duration, which would have no effect.
    if "RECENT_LOGIN" in values and "HAS_RECENT_LOGIN" in values:
        raise SettingsError("EFFACE has both RECENT_LOGIN and HAS_RECENT_LOGIN. Keep one of them.")
    live, logout_path = _read_live(values), values.get("LOGOUT_PATH")
    if (live is not None or logout_path is not None) and not is_local_path(logout_path):
        raise SettingsError(
            "EFFACE needs the path of your logout route in LOGOUT_PATH. The route answers DELETE "
            'and clears the cookies: "LOGOUT_PATH": "/users/log_out"'
        )
    return PageSettings(
        blockers=_read_function(values, "BLOCKERS"),
        check_password=_read_function(values, "CHECK_PASSWORD"),
        recent_login=recent,
        recipients=_read_texts(values, "RECIPIENTS"),
        redirect_path=redirect_path,
        clear_cookies=_read_texts(values, "CLEAR_COOKIES"),
        labels=_read_labels(values),
        identify=_read_function(values, "IDENTIFY"),
        has_recent_login=_read_function(values, "HAS_RECENT_LOGIN"),
        confirmation_email=_read_function(values, "CONFIRMATION_EMAIL"),
        live=live,
        logout_path=logout_path,
    )


def _read_live(values: Mapping[str, Any]) -> LivePages | None:
    """Return the object in ``LIVE``, imported if it is a dotted path."""
    value = values.get("LIVE")
    if value is None:
        return None
    if isinstance(value, str):
        try:
            value = import_string(value)
        except ImportError:
            raise SettingsError(
                f"EFFACE names {value} in LIVE, but Python can't import it."
            ) from None
    if not isinstance(value, LivePages):
        raise SettingsError(
            'EFFACE needs the object that Live("/live") makes in LIVE: "LIVE": "myapp.live.live"'
        )
    return value


def _read_labels(values: Mapping[str, Any]) -> Labels | None:
    """Return the labels of the project, or the function that returns them."""
    labels = values.get("LABELS")
    if not isinstance(labels, Mapping):
        found: Labels | None = _read_function(values, "LABELS")
        return found
    if not all(isinstance(name, str) for name in labels):
        raise SettingsError(
            "EFFACE needs names of models or fields in LABELS: "
            '"LABELS": {"myapp.Post": "your posts"}'
        )
    return labels


def _is_path_or_name(value: object) -> bool:
    return isinstance(value, str) and (is_local_path(value) or "/" not in value)


def _read_function(values: Mapping[str, Any], name: str) -> Any:
    """Return the function in the setting *name*, imported if it is a dotted path."""
    value = values.get(name)
    if isinstance(value, str):
        try:
            value = import_string(value)
        except ImportError:
            raise SettingsError(
                f"EFFACE names the function {value} in {name}, but Python can't import it."
            ) from None
    if value is not None and not callable(value):
        raise SettingsError(f"EFFACE needs a function, or the dotted path of one, in {name}.")
    return value


def _read_texts(values: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = values.get(name, ())
    # A string is an iterable of strings too, so its letters would become the values.
    if isinstance(value, str) or not all(isinstance(each, str) for each in value):
        raise SettingsError(f"EFFACE needs a list of texts in {name}.")
    return tuple(value)


def efface_settings() -> EffaceSettings:
    """Return the settings of the policy and the engine.

    Raises:
        SettingsError: ``EFFACE`` is missing, or contains an unknown key or value.
    """
    values = _read_dictionary()
    secret = values.get("SECRET")
    if not isinstance(secret, (bytes, str)):
        raise SettingsError('EFFACE needs a text in SECRET: "SECRET": os.environ["EFFACE_SECRET"]')
    policy, rules = values.get("POLICY"), values.get("RULES", {})
    if policy is not None and not isinstance(policy, (str, Path)):
        raise SettingsError(
            'EFFACE needs the path of a file in POLICY: "POLICY": BASE_DIR / "efface.toml"'
        )
    if not isinstance(rules, Mapping):
        raise SettingsError(
            'EFFACE needs a dictionary in RULES: "RULES": {"sites": no_personal_data(reason="…")}'
        )
    _require_user_model(values.get("USER_MODEL"))
    strict = values.get("STRICT", False)
    if not isinstance(strict, bool):
        raise SettingsError('EFFACE needs True or False in STRICT: "STRICT": True')
    return EffaceSettings(
        strict=strict,
        secret=secret,
        policy=None if policy is None else Path(policy),
        rules={
            _read_label(str(name)): _read_rules(str(name), each) for name, each in rules.items()
        },
        clock=_read_function(values, "CLOCK") or utc_now,
    )


def _read_dictionary() -> Mapping[str, Any]:
    # Not cached, because tests override settings.
    values = getattr(settings, "EFFACE", None)
    if not isinstance(values, Mapping):
        raise SettingsError(
            "The settings need a dictionary EFFACE: "
            'EFFACE = {"SECRET": os.environ["EFFACE_SECRET"]}'
        )
    for name in values:
        if name not in KNOWN:
            hint = did_you_mean(str(name), KNOWN, listed=len(KNOWN))
            raise SettingsError(f"EFFACE has no setting {name}.{hint}")
    return values


def _require_user_model(label: object) -> None:
    """Require that *label* names a model, because otherwise no model would get the field.

    Raises:
        SettingsError: no model has this label.
    """
    if label is None:
        return
    # Django compares labels of models without regard to case.
    labels = [model._meta.label for model in apps.get_models()]
    if not isinstance(label, str) or label.lower() not in map(str.lower, labels):
        hint = did_you_mean(str(label), labels, listed=12)
        raise SettingsError(f"EFFACE names an unknown model {label} in USER_MODEL.{hint}")


def _read_label(name: str) -> str:
    """Return the label of an app or model in lower case.

    Raises:
        SettingsError: there is no such app or model.
    """
    label, _, model = name.partition(".")
    labels = [each.label for each in apps.get_app_configs()]
    if label not in labels:
        hint = did_you_mean(label, labels, listed=12)
        raise SettingsError(f"EFFACE names an unknown application {label} in RULES.{hint}")
    if not model:
        return label
    models = {each.__name__.lower(): each for each in apps.get_app_config(label).get_models(True)}
    if model.lower() not in models:
        hint = did_you_mean(model, [each.__name__ for each in models.values()], listed=12)
        raise SettingsError(f"EFFACE names an unknown model {name} in RULES.{hint}")
    return name.lower()


def _read_rules(name: str, value: Any) -> Rules:
    if isinstance(value, Rules):
        return value
    if isinstance(value, RuleItem):
        return Rules(value)
    raise SettingsError(f"EFFACE needs Rules(...) or a rule for {name} in RULES.")
