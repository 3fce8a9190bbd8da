"""The setting ``EFFACE``: a dictionary, read when it is first needed.

EFFACE = {
    "KEY": os.environ["EFFACE_KEY"],
    "POLICY": BASE_DIR / "efface.toml",
    "RULES": {"sites": unrelated(because="names of sites")},
}

``TOMBSTONE`` names a model of somebody else's whose rows are people, see `efface.django.tombstone`.
What the closing page may be told besides is read by `page`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.conf import settings
from django.db.models import Model
from django.http import HttpRequest
from django.utils.module_loading import import_string

from efface.django.rules import Rules
from efface.eraser import utc_now
from efface.errors import SettingsError
from efface.page.blocker import Blocker
from efface.page.consequences import Words
from efface.page.parting import Send
from efface.page.paths import is_local_path
from efface.policy.markers import Marker
from efface.policy.spelling import did_you_mean

if TYPE_CHECKING:
    from efface.django.live import Live

OF_THE_PAGE = (
    "BLOCKERS",
    "CLEAR_COOKIES",
    "FAREWELL",
    "HAS_RECENT_LOG_IN",
    "IDENTIFY",
    "LIVE",
    "LOG_OUT_PATH",
    "REAUTHENTICATE",
    "RECENT_LOGIN",
    "RECIPIENTS",
    "REDIRECT_URL",
    "WORDS",
)
KNOWN = ("KEY", "POLICY", "RULES", "CLOCK", "TOMBSTONE", *OF_THE_PAGE)
RECENT = timedelta(minutes=10)


@dataclass(frozen=True)
class Settings:
    """What ``EFFACE`` says."""

    key: bytes | str = field(repr=False)
    policy: Path | None
    rules: Mapping[str, Rules]
    clock: Callable[[], datetime]

    def of(self, model: type[Model]) -> Rules | None:
        """Return the rules for *model*: those of its name, or of its whole application."""
        options = model._meta
        return self.rules.get(options.label_lower) or self.rules.get(options.app_label)


@dataclass(frozen=True)
class Page:
    """What ``EFFACE`` says of the closing page.

    ``blockers`` takes the user and returns what has to be settled first; ``reauthenticate`` takes
    the request and a password and returns True if it is the user's. ``recent_login`` is how long a
    log-in counts as proof where there is no password; ``has_recent_log_in`` takes the request and
    decides it instead. ``redirect_url`` is where everybody lands after closing, None for our
    farewell. ``identify`` takes the request and returns the primary key of who is logged in, or
    None. ``farewell`` takes the user under the lock of the closing, and returns a function that is
    called with a `Farewell` after the commit, or None. ``live`` is the live socket; its script
    sends DELETE to ``log_out_path``.
    """

    blockers: Callable[[Any], Iterable[Blocker]] | None = None
    reauthenticate: Callable[[HttpRequest, str], bool] | None = None
    recent_login: timedelta = RECENT
    recipients: tuple[str, ...] = ()
    redirect_url: str | None = None
    clear_cookies: tuple[str, ...] = ()
    words: Words | None = None
    identify: Callable[[HttpRequest], Any] | None = None
    has_recent_log_in: Callable[[HttpRequest], bool] | None = None
    farewell: Callable[[Any], Send | None] | None = None
    live: Live | None = None
    log_out_path: str | None = None


def page() -> Page:
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
    redirect_url = said.get("REDIRECT_URL")
    if redirect_url is not None and not _is_path_or_name(redirect_url):
        raise SettingsError("EFFACE needs a path of this site in REDIRECT_URL, or a route's name.")
    if "RECENT_LOGIN" in said and "HAS_RECENT_LOG_IN" in said:
        raise SettingsError("EFFACE has RECENT_LOGIN and HAS_RECENT_LOG_IN: one of them decides.")
    live, log_out_path = _live(said), said.get("LOG_OUT_PATH")
    if (live is not None or log_out_path is not None) and not is_local_path(log_out_path):
        raise SettingsError(
            "EFFACE needs in LOG_OUT_PATH the path of your route that answers DELETE and clears "
            'cookies: "LOG_OUT_PATH": "/users/log_out"'
        )
    return Page(
        blockers=_function(said, "BLOCKERS"),
        reauthenticate=_function(said, "REAUTHENTICATE"),
        recent_login=recent,
        recipients=_texts(said, "RECIPIENTS"),
        redirect_url=redirect_url,
        clear_cookies=_texts(said, "CLEAR_COOKIES"),
        words=_words(said),
        identify=_function(said, "IDENTIFY"),
        has_recent_log_in=_function(said, "HAS_RECENT_LOG_IN"),
        farewell=_function(said, "FAREWELL"),
        live=live,
        log_out_path=log_out_path,
    )


def _live(said: Mapping[str, Any]) -> Live | None:
    """Return the live socket that the settings name."""
    value = said.get("LIVE")
    if value is None:
        return None
    from efface.django.live import Live  # noqa: PLC0415  # it reads the settings itself

    if isinstance(value, str):
        try:
            value = import_string(value)
        except ImportError:
            raise SettingsError(f"EFFACE names in LIVE {value}: it is not there.") from None
    if not isinstance(value, Live):
        raise SettingsError(
            'EFFACE names in LIVE the object made by Live("/live"): "LIVE": "town.live.live"'
        )
    return value


def _words(said: Mapping[str, Any]) -> Words | None:
    """Return the project's names for people, or the function that gives them."""
    words = said.get("WORDS")
    if not isinstance(words, Mapping):
        found: Words | None = _function(said, "WORDS")
        return found
    if not all(isinstance(name, str) for name in words):
        raise SettingsError(
            'EFFACE needs names of models or fields in WORDS: "WORDS": {"town.Post": "your posts"}'
        )
    return words


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


def found() -> Settings:
    """Return what the settings say.

    Raises:
        SettingsError: ``EFFACE`` is missing, or something in it is not known.
    """
    said = _dictionary()
    key = said.get("KEY")
    if not isinstance(key, (bytes, str)):
        raise SettingsError(
            'EFFACE in the settings needs a KEY, a secret text: "KEY": os.environ["EFFACE_KEY"]'
        )
    policy, rules = said.get("POLICY"), said.get("RULES", {})
    if policy is not None and not isinstance(policy, (str, Path)):
        raise SettingsError(
            'EFFACE needs the path of a file in POLICY: "POLICY": BASE_DIR / "efface.toml"'
        )
    if not isinstance(rules, Mapping):
        raise SettingsError(
            'EFFACE needs a dictionary in RULES: "RULES": {"sites": unrelated(because="…")}'
        )
    _tombstone(said.get("TOMBSTONE"))
    return Settings(
        key=key,
        policy=None if policy is None else Path(policy),
        rules={_place(str(name)): _rules(str(name), each) for name, each in rules.items()},
        clock=_function(said, "CLOCK") or utc_now,
    )


def _dictionary() -> Mapping[str, Any]:
    said = getattr(settings, "EFFACE", None)
    if not isinstance(said, Mapping):
        raise SettingsError(
            'The settings have no dictionary EFFACE: EFFACE = {"KEY": os.environ["EFFACE_KEY"]}'
        )
    for name in said:
        if name not in KNOWN:
            hint = did_you_mean(str(name), KNOWN, listed=len(KNOWN))
            raise SettingsError(f"EFFACE in the settings has no {name}.{hint}")
    return said


def _tombstone(label: object) -> None:
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
    if isinstance(said, Marker):
        return Rules(said)
    raise SettingsError(f"EFFACE gives {name} in RULES neither Rules(...) nor a marker.")
