"""Small servers that do the same work on the same input with other means.

Each takes `POST /v2/bookings/reserve`, checks the same fields, runs the same script and
answers the same JSON; `benchmarks.conformance` holds them to it. None asks for an API key.
"""
