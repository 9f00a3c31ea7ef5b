"""The booking store: bookings, projects and resources in SQL.

`sqlite.py` is the store, the other `sqlite_*` modules are its parts; `rows.py` and
`search.py` are what every SQL engine shares; `settings.py` keeps settings in memory (on a
`shelf.py`).
"""
