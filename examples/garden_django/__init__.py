"""The garden once more, on Django: the same pages, rules, tables and story."""
