"""The forum's policy, and the keys of its people."""

from efface import Policy
from tests.support.schemas import forum

POLICY = Policy.from_metadata(forum.Base.metadata)
ADA, GRACE = 1, 2
