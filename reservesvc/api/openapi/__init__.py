"""The OpenAPI document of the calls, made from the tables that answer them, and its page."""
