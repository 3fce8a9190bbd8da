"""Close accounts. Keep records. Prove it.

Declare next to your models which columns have personal data and what happens to them. An `Eraser`
closes accounts by these rules, inside your transaction, and returns a receipt.

Names are loaded at their first use, so that models can import the rules without the engine.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from efface.eraser.eraser import Eraser
    from efface.eraser.pending_closings import PendingRun
    from efface.errors import EffaceError
    from efface.evidence.receipt import BatchReceipt, Receipt
    from efface.plan.plan import Plan
    from efface.policy.actions import (
        Basis,
        Clear,
        Delete,
        Generalize,
        Placeholder,
        Redact,
        Replace,
        ReplaceMentions,
        Retain,
        Revoke,
        Unlink,
    )
    from efface.policy.declarations import (
        data_subject,
        no_personal_data,
        not_personal,
        on_close,
        personal,
    )
    from efface.policy.policy import Policy
    from efface.policy.presets import preset
    from efface.policy.relationships import Generic, MatchBy, OwnedBy

__all__ = [
    "Basis",
    "BatchReceipt",
    "Clear",
    "Delete",
    "EffaceError",
    "Eraser",
    "Generalize",
    "Generic",
    "MatchBy",
    "OwnedBy",
    "PendingRun",
    "Placeholder",
    "Plan",
    "Policy",
    "Receipt",
    "Redact",
    "Replace",
    "ReplaceMentions",
    "Retain",
    "Revoke",
    "Unlink",
    "data_subject",
    "no_personal_data",
    "not_personal",
    "on_close",
    "personal",
    "preset",
]

_HOMES = {
    "efface.eraser.eraser": ("Eraser",),
    "efface.eraser.pending_closings": ("PendingRun",),
    "efface.errors": ("EffaceError",),
    "efface.evidence.receipt": (
        "BatchReceipt",
        "Receipt",
    ),
    "efface.plan.plan": ("Plan",),
    "efface.policy.actions": (
        "Basis",
        "Clear",
        "Delete",
        "Generalize",
        "Placeholder",
        "Redact",
        "Replace",
        "ReplaceMentions",
        "Retain",
        "Revoke",
        "Unlink",
    ),
    "efface.policy.declarations": (
        "data_subject",
        "no_personal_data",
        "not_personal",
        "on_close",
        "personal",
    ),
    "efface.policy.policy": ("Policy",),
    "efface.policy.presets": ("preset",),
    "efface.policy.relationships": (
        "Generic",
        "MatchBy",
        "OwnedBy",
    ),
}


def __getattr__(name: str) -> Any:
    """Import the module of *name* at its first use."""
    for module, names in _HOMES.items():
        # Stored in the module, so that Python does not call this function for the name again.
        if name in names:
            value = globals()[name] = getattr(import_module(module), name)
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the public names, loaded or not."""
    return __all__
