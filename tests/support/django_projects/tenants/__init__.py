"""A shop with one schema for each tenant, on a connection that switches between them."""
