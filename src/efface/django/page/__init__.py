"""The page on which users delete their accounts, in Django's views, templates and languages."""
