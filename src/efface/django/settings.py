"""The setting ``EFFACE``: a dictionary, read when it is first needed.

EFFACE = {
    "KEY": os.environ["EFFACE_KEY"],
    "POLICY": BASE_DIR / "efface.toml",
    "RULES": {"sites": unrelated(because="names of sites")},
}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db.models import Model
from django.utils.module_loading import import_string

from efface.django.rules import Rules
from efface.eraser import utc_now
from efface.errors import SettingsError
from efface.policy.markers import Marker
from efface.policy.spelling import did_you_mean

KNOWN = ("KEY", "POLICY", "RULES", "CLOCK")


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


def found() -> Settings:
    """Return what the settings say.

    Raises:
        SettingsError: ``EFFACE`` is missing, or something in it is not known.
    """
    said = getattr(settings, "EFFACE", None)
    if not isinstance(said, Mapping):
        raise SettingsError(
            'The settings have no dictionary EFFACE: EFFACE = {"KEY": os.environ["EFFACE_KEY"]}'
        )
    for name in said:
        if name not in KNOWN:
            hint = did_you_mean(str(name), KNOWN, listed=len(KNOWN))
            raise SettingsError(f"EFFACE in the settings has no {name}.{hint}")
    key = said.get("KEY")
    if not isinstance(key, (bytes, str)):
        raise SettingsError(
            'EFFACE in the settings needs a KEY, a secret text: "KEY": os.environ["EFFACE_KEY"]'
        )
    clock = said.get("CLOCK", utc_now)
    policy = said.get("POLICY")
    return Settings(
        key=key,
        policy=None if policy is None else Path(policy),
        rules={_place(name): _rules(name, rules) for name, rules in said.get("RULES", {}).items()},
        clock=import_string(clock) if isinstance(clock, str) else clock,
    )


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
