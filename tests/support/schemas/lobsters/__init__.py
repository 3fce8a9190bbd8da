"""A link-sharing site, Lobsters: 23 tables as its own migrations leave them, at any size.

`schema` holds the tables, `policy` what we decide about them, `published` the tables and decisions
that others have published, `members` and `rows` make people who are as busy as the real ones, and
`loading` brings them into a database.
"""
