"""Test your own policy: does every column have a rule, and is anything left of a user?

Call `assert_policy_complete` in one test. In another, call `populate`, close the account, and call
`assert_no_trace`.
"""

from efface.testing.completeness import assert_policy_complete
from efface.testing.no_trace import assert_no_trace
from efface.testing.populate import populate
from efface.testing.synthetic_users import Populated, SyntheticUser

__all__ = ["Populated", "SyntheticUser", "assert_no_trace", "assert_policy_complete", "populate"]
