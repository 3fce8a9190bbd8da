"""What commands are given, say, and end with, whichever host runs them."""
