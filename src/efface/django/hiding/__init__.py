"""Hide closed accounts from Django's ORM."""
