"""For the suites of applications: is everything decided, and is nothing left of a person?

`assert_decided` in one test; in another `populate`, a closing, and `assert_no_trace`. The page
``docs/how-to/testing.md`` shows both.
"""

from efface.testing.decided import assert_decided
from efface.testing.people import Populated, Somebody
from efface.testing.populate import populate
from efface.testing.trace import assert_no_trace

__all__ = ["Populated", "Somebody", "assert_decided", "assert_no_trace", "populate"]
