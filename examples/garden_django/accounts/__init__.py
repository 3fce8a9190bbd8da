"""The members' accounts: code that an application owns, short enough to copy."""
