"""A backend of PostgreSQL that selects a schema late, as the known packages for tenants do."""

import sys

from tests.support.django_projects.tenants.backend import selected_schema

# Where Django looks for the connection of a backend.
sys.modules[f"{__name__}.base"] = selected_schema
