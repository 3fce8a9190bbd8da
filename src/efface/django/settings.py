"""The setting ``EFFACE``: a dictionary, read when it is first needed.

EFFACE = {
    "SECRET": os.environ["EFFACE_SECRET"],
    "POLICY": BASE_DIR / "efface.toml",
    "RULES": {"sites": no_personal_data(reason="names of sites")},
}

``USER_MODEL`` names a user model that you do not own: Efface adds the field ``deleted_at`` to it.
The settings of the page are read by `page_settings`.
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
from efface.eraser.eraser import utc_now
from efface.errors import SettingsError
from efface.page.blockers import Blocker
from efface.page.confirmation_email import Send
from efface.page.consequences import Labels
from efface.page.local_paths import is_local_path
from efface.policy.declarations import RuleItem
from efface.policy.did_you_mean import did_you_mean

OF_THE_PAGE = (
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
KNOWN = ("SECRET", "POLICY", "RULES", "CLOCK", "USER_MODEL", *OF_THE_PAGE)
RECENT = timedelta(minutes=10)


@runtime_checkable
class LivePages(Protocol):
    """What ``LIVE`` names: `efface.django.live.Live`, which itself reads these settings."""

    path: str

    def end_soon(self, subject: Hashable) -> None:
        """Log out and close every open socket of a user."""


@dataclass(frozen=True)
class EffaceSettings:
    """What ``EFFACE`` says."""

    secret: bytes | str = field(repr=False)
    policy: Path | None
    rules: Mapping[str, Rules]
    clock: Callable[[], datetime]

    def of(self, model: type[Model]) -> Rules | None:
        """Return the rules for *model*: those of its name, or of its whole application."""
        options = model._meta
        return self.rules.get(options.label_lower) or self.rules.get(options.app_label)


@dataclass(frozen=True)
class PageSettings:
    """What ``EFFACE`` says of the closing page.

    ``blockers`` takes the user and returns what has to be settled first; ``check_password`` takes
    the request and a password and returns True if it is the user's. ``recent_login`` is how long a
    log-in counts as proof where there is no password; ``has_recent_login`` takes the request and
    decides it instead. ``redirect_path`` is where everybody lands after closing, None for our
    farewell. ``identify`` takes the request and returns the primary key of who is logged in, or
    None. ``confirmation_email`` takes the user under the lock of the closing, and returns a
    function that is called with a `ConfirmationEmail` after the commit, or None. ``live`` is the
    WebSocket endpoint; its script sends DELETE to ``logout_path``.
    """

    blockers: Callable[[Any], Iterable[Blocker]] | None = None
    check_password: Callable[[HttpRequest, str], bool] | None = None
    recent_login: timedelta = RECENT
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
    """Return what the settings say of the closing page.

    Raises:
        SettingsError: something is not of its kind, or a dotted path leads nowhere.
    """
    said = _dictionary()
    recent = said.get("RECENT_LOGIN", RECENT)
    if not isinstance(recent, timedelta) or recent <= timedelta():
        raise SettingsError(
            'EFFACE says how long a log-in is recent: "RECENT_LOGIN": timedelta(minutes=10)'
        )
    redirect_path = said.get("REDIRECT_PATH")
    if redirect_path is not None and not _is_path_or_name(redirect_path):
        raise SettingsError("EFFACE needs a path of this site in REDIRECT_PATH, or a route's name.")
    if "RECENT_LOGIN" in said and "HAS_RECENT_LOGIN" in said:
        raise SettingsError("EFFACE has RECENT_LOGIN and HAS_RECENT_LOGIN: one of them decides.")
    live, logout_path = _live(said), said.get("LOGOUT_PATH")
    if (live is not None or logout_path is not None) and not is_local_path(logout_path):
        raise SettingsError(
            "EFFACE needs in LOGOUT_PATH the path of your route that answers DELETE and clears "
            'cookies: "LOGOUT_PATH": "/users/log_out"'
        )
    return PageSettings(
        blockers=_function(said, "BLOCKERS"),
        check_password=_function(said, "CHECK_PASSWORD"),
        recent_login=recent,
        recipients=_texts(said, "RECIPIENTS"),
        redirect_path=redirect_path,
        clear_cookies=_texts(said, "CLEAR_COOKIES"),
        labels=_labels(said),
        identify=_function(said, "IDENTIFY"),
        has_recent_login=_function(said, "HAS_RECENT_LOGIN"),
        confirmation_email=_function(said, "CONFIRMATION_EMAIL"),
        live=live,
        logout_path=logout_path,
    )


def _live(said: Mapping[str, Any]) -> LivePages | None:
    """Return the live socket that the settings name."""
    value = said.get("LIVE")
    if value is None:
        return None
    if isinstance(value, str):
        try:
            value = import_string(value)
        except ImportError:
            raise SettingsError(f"EFFACE names in LIVE {value}: it is not there.") from None
    if not isinstance(value, LivePages):
        raise SettingsError(
            'EFFACE names in LIVE the object made by Live("/live"): "LIVE": "town.live.live"'
        )
    return value


def _labels(said: Mapping[str, Any]) -> Labels | None:
    """Return the project's names for people, or the function that gives them."""
    labels = said.get("LABELS")
    if not isinstance(labels, Mapping):
        found: Labels | None = _function(said, "LABELS")
        return found
    if not all(isinstance(name, str) for name in labels):
        raise SettingsError(
            "EFFACE needs names of models or fields in LABELS: "
            '"LABELS": {"town.Post": "your posts"}'
        )
    return labels


def _is_path_or_name(value: object) -> bool:
    return isinstance(value, str) and (is_local_path(value) or "/" not in value)


def _function(said: Mapping[str, Any], name: str) -> Any:
    """Return a function that the settings name by its dotted path, or give."""
    value = said.get(name)
    if isinstance(value, str):
        try:
            value = import_string(value)
        except ImportError:
            raise SettingsError(
                f"EFFACE names a function {value} in {name}: it is not there."
            ) from None
    if value is not None and not callable(value):
        raise SettingsError(f"EFFACE gives in {name} no function and no dotted path of one.")
    return value


def _texts(said: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = said.get(name, ())
    # A text alone is a collection of letters.
    if isinstance(value, str) or not all(isinstance(each, str) for each in value):
        raise SettingsError(f"EFFACE needs a list of texts in {name}.")
    return tuple(value)


def efface_settings() -> EffaceSettings:
    """Return what the settings say.

    Raises:
        SettingsError: ``EFFACE`` is missing, or something in it is not known.
    """
    said = _dictionary()
    secret = said.get("SECRET")
    if not isinstance(secret, (bytes, str)):
        raise SettingsError(
            'EFFACE in the settings needs a SECRET, a text: "SECRET": os.environ["EFFACE_SECRET"]'
        )
    policy, rules = said.get("POLICY"), said.get("RULES", {})
    if policy is not None and not isinstance(policy, (str, Path)):
        raise SettingsError(
            'EFFACE needs the path of a file in POLICY: "POLICY": BASE_DIR / "efface.toml"'
        )
    if not isinstance(rules, Mapping):
        raise SettingsError(
            'EFFACE needs a dictionary in RULES: "RULES": {"sites": no_personal_data(reason="…")}'
        )
    _user_model(said.get("USER_MODEL"))
    return EffaceSettings(
        secret=secret,
        policy=None if policy is None else Path(policy),
        rules={_place(str(name)): _rules(str(name), each) for name, each in rules.items()},
        clock=_function(said, "CLOCK") or utc_now,
    )


def _dictionary() -> Mapping[str, Any]:
    said = getattr(settings, "EFFACE", None)
    if not isinstance(said, Mapping):
        raise SettingsError(
            "The settings have no dictionary EFFACE: "
            'EFFACE = {"SECRET": os.environ["EFFACE_SECRET"]}'
        )
    for name in said:
        if name not in KNOWN:
            hint = did_you_mean(str(name), KNOWN, listed=len(KNOWN))
            raise SettingsError(f"EFFACE in the settings has no {name}.{hint}")
    return said


def _user_model(label: object) -> None:
    """Refuse what is no model's label: the field that marks closed accounts would be nowhere."""
    if label is None:
        return
    labels = [model._meta.label for model in apps.get_models()]
    if not isinstance(label, str) or label.lower() not in map(str.lower, labels):
        hint = did_you_mean(str(label), labels, listed=12)
        raise SettingsError(f"EFFACE names a model {label} in TOMBSTONE.{hint}")


def _place(name: str) -> str:
    """Return the application's or model's label as it is looked up."""
    label, _, model = name.partition(".")
    labels = [each.label for each in apps.get_app_configs()]
    if label not in labels:
        hint = did_you_mean(label, labels, listed=12)
        raise SettingsError(f"EFFACE names an application {label} in RULES.{hint}")
    if not model:
        return label
    models = {each.__name__.lower(): each for each in apps.get_app_config(label).get_models(True)}
    if model.lower() not in models:
        hint = did_you_mean(model, [each.__name__ for each in models.values()], listed=12)
        raise SettingsError(f"EFFACE names a model {name} in RULES.{hint}")
    return name.lower()


def _rules(name: str, said: Any) -> Rules:
    if isinstance(said, Rules):
        return said
    if isinstance(said, RuleItem):
        return Rules(said)
    raise SettingsError(f"EFFACE gives {name} in RULES neither Rules(...) nor a marker.")
