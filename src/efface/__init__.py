"""Close accounts. Keep records. Prove it.

One declaration beside the models says what is personal; an `Eraser` closes an account from it,
inside the caller's transaction, and says what it did.
"""

from efface.eraser import Eraser
from efface.errors import EffaceError
from efface.evidence.receipt import BatchReceipt, Receipt
from efface.plan.steps import Plan
from efface.policy.actions import (
    Basis,
    Clear,
    Delete,
    Generalize,
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
from efface.policy.rules import Policy

__all__ = [
    "Basis",
    "BatchReceipt",
    "Clear",
    "Delete",
    "EffaceError",
    "Eraser",
    "Generalize",
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
    "Tokens",
    "Unlink",
    "data_subject",
    "not_personal",
    "on_leaving",
    "personal",
    "unrelated",
]
