"""Live sockets between pages and server, whichever host serves them."""
