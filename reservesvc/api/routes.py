"""The URL table: one row a call. Assembly, keys, log, metrics and tests all read it."""

from reservesvc.api import (
    availability,
    batch,
    bookings,
    embed,
    health,
    project_resources,
    projects,
    reservations,
    resources,
)
from reservesvc.api.call import Route
from reservesvc.api.openapi import pages

PAGE = ("limit", "page")
"""the parameters of every list"""
_SEARCH = ("search", "start", "end", "orderBy", "sortedBy")

_CALLS = (
    Route("POST", "/v2/bookings/reserve", reservations.reserve, "widget", "reserve"),
    Route(
        "GET",
        "/v2/bookings/reserve",
        reservations.live,
        "service",
        "live",
        query=("resource_id", "start", "end", *PAGE),
    ),
    Route(
        "POST",
        "/v2/bookings/reserve/batch",
        batch.reserve_batch,
        "service",
        "reserve_batch",
        body_bytes_max=batch.BODY_BYTES_MAX,
    ),
    Route("PUT", "/v2/bookings/reserve/extend", reservations.extend, "widget", "extend"),
    Route("GET", "/v2/bookings/reserve/{reservation_id}", reservations.read, "widget", "read"),
    Route(
        "DELETE", "/v2/bookings/reserve/{reservation_id}", reservations.release, "widget", "release"
    ),
    Route("POST", "/v2/bookings", bookings.book, "widget", "book"),
    Route(
        "GET",
        "/v2/bookings",
        bookings.find,
        "service",
        "find_bookings",
        query=(*_SEARCH, *PAGE),
    ),
    Route("GET", "/v2/bookings/{booking_id}", bookings.read, "service", "read_booking"),
    Route("PUT", "/v2/bookings/{booking_id}", bookings.update, "service", "update_booking"),
    Route("DELETE", "/v2/bookings/{booking_id}", bookings.delete, "service", "delete_booking"),
    Route(
        "POST",
        "/v2/bookings/{booking_id}/reschedule",
        bookings.reschedule,
        "service",
        "reschedule",
    ),
    Route(
        "PUT", "/v2/bookings/{booking_id}/{action}", bookings.act, "service", "act", has_key=True
    ),
    Route(
        "POST", "/v2/availability", availability.search, "widget", "availability", only_reads=True
    ),
    Route("POST", "/v2/projects", projects.create, "admin", "create_project"),
    Route("GET", "/v2/projects", projects.find, "service", "find_projects", query=PAGE),
    Route("GET", "/v2/projects/embed/{project_id}", embed.by_id, "widget", "embed_project"),
    Route("GET", "/v2/projects/hosted/{slug}", embed.by_slug, "widget", "hosted_project"),
    Route("GET", "/v2/projects/{project_id}", projects.read, "service", "read_project"),
    Route("PUT", "/v2/projects/{project_id}", projects.update, "admin", "update_project"),
    Route("DELETE", "/v2/projects/{project_id}", projects.delete, "admin", "delete_project"),
    Route(
        "GET",
        "/v2/projects/{project_id}/resources",
        project_resources.find,
        "service",
        "find_project_resources",
        query=PAGE,
    ),
    Route(
        "POST",
        "/v2/projects/{project_id}/resources",
        project_resources.add,
        "admin",
        "add_project_resource",
    ),
    Route(
        "PUT",
        "/v2/projects/{project_id}/resources",
        project_resources.replace_all,
        "admin",
        "replace_project_resources",
    ),
    Route(
        "DELETE",
        "/v2/projects/{project_id}/resources/{resource_id}",
        project_resources.remove,
        "admin",
        "remove_project_resource",
    ),
    Route("POST", "/v2/resources", resources.create, "admin", "create_resource"),
    Route("GET", "/v2/resources", resources.find, "service", "find_resources", query=PAGE),
    Route("GET", "/v2/resources/{resource_id}", resources.read, "service", "read_resource"),
    Route("PUT", "/v2/resources/{resource_id}", resources.update, "admin", "update_resource"),
    Route("DELETE", "/v2/resources/{resource_id}", resources.delete, "admin", "delete_resource"),
    Route("GET", "/livez", health.livez, "public", "livez", quiet=True, query=None),
    Route("GET", "/readyz", health.readyz, "public", "readyz", quiet=True, query=None),
    Route("GET", "/metrics", health.metrics, "public", "metrics", quiet=True, query=None),
)
ROUTES = (*_CALLS, *pages.rows(_CALLS))
