"""Close accounts. Keep records. Prove it.

One declaration beside the models says what is personal; an `Eraser` closes an account from it,
inside the caller's transaction, and says what it did.

A name is loaded when it is first asked for: models need the markers, and not the engine.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from efface.eraser import Eraser
    from efface.eraser.due import Settlement
    from efface.errors import EffaceError
    from efface.evidence.receipt import BatchReceipt, Receipt
    from efface.plan.steps import Plan
    from efface.policy.actions import (
        Basis,
        Clear,
        Delete,
        Generalize,
        Generic,
        Match,
        Owned,
        Placeholder,
        Redact,
        Replace,
        ReplaceMentions,
        Retain,
        Revoke,
        Tokens,
        Unlink,
    )
    from efface.policy.markers import data_subject, not_personal, on_leaving, personal, unrelated
    from efface.policy.presets import preset
    from efface.policy.rules import Policy

__all__ = [
    "Basis",
    "BatchReceipt",
    "Clear",
    "Delete",
    "EffaceError",
    "Eraser",
    "Generalize",
    "Generic",
    "Match",
    "Owned",
    "Placeholder",
    "Plan",
    "Policy",
    "Receipt",
    "Redact",
    "Replace",
    "ReplaceMentions",
    "Retain",
    "Revoke",
    "Settlement",
    "Tokens",
    "Unlink",
    "data_subject",
    "not_personal",
    "on_leaving",
    "personal",
    "preset",
    "unrelated",
]

_HOMES = {
    "efface.eraser": ("Eraser",),
    "efface.eraser.due": ("Settlement",),
    "efface.errors": ("EffaceError",),
    "efface.evidence.receipt": ("BatchReceipt", "Receipt"),
    "efface.plan.steps": ("Plan",),
    "efface.policy.actions": (
        "Basis",
        "Clear",
        "Delete",
        "Generalize",
        "Generic",
        "Match",
        "Owned",
        "Placeholder",
        "Redact",
        "Replace",
        "ReplaceMentions",
        "Retain",
        "Revoke",
        "Tokens",
        "Unlink",
    ),
    "efface.policy.markers": (
        "data_subject",
        "not_personal",
        "on_leaving",
        "personal",
        "unrelated",
    ),
    "efface.policy.presets": ("preset",),
    "efface.policy.rules": ("Policy",),
}


def __getattr__(name: str) -> Any:
    """Load the module that holds *name*, the first time only."""
    for module, names in _HOMES.items():
        if name in names:
            value = globals()[name] = getattr(import_module(module), name)
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the public names, loaded or not."""
    return __all__
