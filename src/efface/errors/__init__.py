"""Every exception of Efface: facts as attributes, text derived, a stable code per class.

The hundreds digit of a code is the stage that notices. No message carries a value out of the
database: table and column names, counts and references only. Driver errors quote rows, so they
are never chained; their type and SQLSTATE are kept.
"""

from efface.errors.database import (
    AutocommitError,
    ConflictError,
    ConnectionLostError,
    ReadOnlyError,
    RetryError,
    SchemaMismatchError,
    StatementError,
)
from efface.errors.hosts import (
    AtomicBlockError,
    ClosedAccountsError,
    ClosedMergeError,
    ClosedObjectError,
    MissingExtraError,
    RulesError,
    SettingsError,
    UnfilteredStatementError,
    WrongDatabaseError,
)
from efface.errors.policy import (
    AmbiguousPathError,
    ConflictingDecisionError,
    ImpossibleActionError,
    IncompletePolicyError,
    LostPathError,
    MissingTombstoneError,
    NoPathError,
    PolicyError,
    PolicyFileError,
    Problem,
    SchemaDriftError,
    SubjectTableError,
    UnreadableFileError,
    describe,
    raise_problems,
)
from efface.errors.root import NOTHING_CHANGED, EffaceError
from efface.errors.running import (
    ForeignPlanError,
    MissingTablesError,
    StalePlanError,
    SubjectKeyError,
    TombstoneWithoutClosingError,
    UnknownSubjectError,
    VetoedError,
    WeakKeyError,
)

__all__ = [
    "NOTHING_CHANGED",
    "AmbiguousPathError",
    "AtomicBlockError",
    "AutocommitError",
    "ClosedAccountsError",
    "ClosedMergeError",
    "ClosedObjectError",
    "ConflictError",
    "ConflictingDecisionError",
    "ConnectionLostError",
    "EffaceError",
    "ForeignPlanError",
    "ImpossibleActionError",
    "IncompletePolicyError",
    "LostPathError",
    "MissingExtraError",
    "MissingTablesError",
    "MissingTombstoneError",
    "NoPathError",
    "PolicyError",
    "PolicyFileError",
    "Problem",
    "ReadOnlyError",
    "RetryError",
    "RulesError",
    "SchemaDriftError",
    "SchemaMismatchError",
    "SettingsError",
    "StalePlanError",
    "StatementError",
    "SubjectKeyError",
    "SubjectTableError",
    "TombstoneWithoutClosingError",
    "UnfilteredStatementError",
    "UnknownSubjectError",
    "UnreadableFileError",
    "VetoedError",
    "WeakKeyError",
    "WrongDatabaseError",
    "describe",
    "raise_problems",
]
