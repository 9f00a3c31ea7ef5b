"""The booking store: bookings, projects and resources in SQL.

`sqlite.py` and `postgres.py` are the stores, the modules named after them are their parts;
`rows.py` and `search.py` are what every SQL engine shares; `settings.py` keeps settings in
memory (on a `shelf.py`).
"""
