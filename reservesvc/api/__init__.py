"""The HTTP interface: JSON over HTTP/1.1, compatible with the Timekit v2 API.

`routes.py` is the table of URLs; `application.py` turns it into a web application. Knows
HTTP and JSON; refuses to know Redis, SQL and how a slot is judged.
"""
