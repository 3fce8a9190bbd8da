"""A backend of PostgreSQL that selects a schema late, as the known packages for tenants do."""
