"""Connect open pages with the server by WebSockets, for every integration."""
