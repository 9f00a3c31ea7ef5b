"""Versioned schema files, one directory an engine, named `0001_….sql` and so on.

A file that was ever released is never edited: the next version is the next file.
"""
