"""Measures the service beside its peers; `make bench` runs it, docs/performance.md explains it."""
