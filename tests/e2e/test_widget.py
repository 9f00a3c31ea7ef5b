"""The npm package timekit-booking 3.3.1 in a browser, on the page of another origin.

The page is in Berlin, two hours ahead of UTC in June: what the widget offers, shows and books
is the same instant only if the server answers in the time zone it is asked for.
"""

import json
from typing import Any

import pytest

from tests.e2e.conftest import ADMIN, WIDGET
from tests.e2e.ordinary import ELEVEN, NOON, TEN, TEXTS, slot
from tests.e2e.page import Page
from tests.e2e.sdk import Sdk
from tests.e2e.site import Site
from tests.faults.process import ServerProcess

_MORNING = {"from": TEN, "to": NOON, "length": "1 hour"}
_SLOT = ".fc-event"
_FORM = "document.querySelector('.bookingjs-bookpage.show') !== null"
_BOOK = ".bookingjs-form-button"
_BOOKED = "document.querySelector('.bookingjs-form.success') !== null"
_LOADED = "document.querySelector('.bookingjs-loading') === null"
_MOVE_TO_NEW_YORK = """(() => {
  const picker = document.querySelector(".bookingjs-footer-tz-picker-select");
  picker.value = "America/New_York";
  picker.dispatchEvent(new Event("change"));
})()"""
# The page holds the slot while the customer fills in the form, and hands it off with the form.
# The SDK inside this widget is older than `reserveBooking`; it sends any request all the same.
_HOLD = """(slot) => widget.getSdk().makeRequest({ method: "post", url: "/bookings/reserve", data: {
  resource_id: slot.extendedProps.resources[0].id, start: slot.startStr, end: slot.endStr,
  what: "Haircut", where: "Main street 1", description: "Short, please", duration: 300,
} }).then((held) => {
  widget.getConfig().all().booking.reservation_id = window.held = held.data.reservation_id;
})"""


def config(server: ServerProcess, **more: Any) -> dict[str, Any]:
    """Return the widget's configuration as a site has it, its base URL changed to the server's."""
    return {"app_key": WIDGET, "api_base_url": f"{server.url}/", "availability": _MORNING} | more


async def open_form(page: Page, site: Site, wanted: str) -> None:
    """Open the site, click the first slot that the widget offers, wait for the form."""
    site.show(wanted)
    await page.open(site.url)
    await page.click(_SLOT)
    await page.seen(_FORM)


async def send_form(page: Page) -> None:
    """Say who is coming and press the button."""
    await page.type(".input-name", "Ada")
    await page.type(".input-email", "ada@example.com")
    await page.click(_BOOK)


def bookings(sdk: Sdk, room: str) -> list[Any]:
    """Return the bookings of the room."""
    found: list[Any] = sdk("getBookings", params={"search": f"resource.id:{room}"}).data
    return found


async def test_a_slot_is_picked_and_booked(
    page: Page, site: Site, server: ServerProcess, sdk: Sdk, room: str
) -> None:
    """With `resources`: the slot that is clicked, at Berlin's time, is the one that is booked."""
    await open_form(page, site, json.dumps(config(server, resources=[room])))
    assert await page.text(".bookingjs-bookpage-time") == "12:00pm - 01:00pm"
    assert await page.text(".bookingjs-bookpage-resource") == room
    await send_form(page)
    await page.seen(_BOOKED)
    assert "ada@example.com" in await page.text(".bookingjs-form-success-message")
    (booking,) = bookings(sdk, room)
    assert (booking["event"]["start"], booking["event"]["end"]) == (TEN, ELEVEN)
    assert booking["event"]["what"] == "Meeting with Ada"
    assert booking["customers"][0]["timezone"] == "Europe/Berlin"
    assert "OPTIONS" in {request["method"] for request in page.requests(server.url)}
    assert page.complaints() == []


@pytest.mark.parametrize(("key", "field"), [("project_id", "id"), ("project_slug", "slug")])
async def test_a_project_is_all_that_a_page_names(
    page: Page, site: Site, server: ServerProcess, sdk: Sdk, room: str, key: str, field: str
) -> None:
    """With a project: resources, slots, texts, graph and looks are the operator's."""
    looks = {"availability_view": "listing", "time_date_format": "24h-dmy-mon"}
    defaults = TEXTS | {"graph": "confirm_decline"}
    project = {"name": f"Salon {room}", "booking": defaults, "resources": [room], "ui": looks}
    made = sdk("createProject", project | {"availability": _MORNING}, key=ADMIN).data
    wanted = {name: value for name, value in config(server).items() if name != "availability"}
    await open_form(page, site, json.dumps(wanted | {key: made[field]}))
    assert await page.text(".bookingjs-bookpage-time") == "12:00 - 13:00"
    await send_form(page)
    await page.seen(_BOOKED)
    (booking,) = bookings(sdk, room)
    assert (booking["project_id"], booking["event"]["start"]) == (made["id"], TEN)
    assert booking["event"] == booking["event"] | TEXTS
    assert booking["state"] == "tentative"
    assert page.complaints() == []


async def test_the_customer_picks_another_time_zone(
    page: Page, site: Site, server: ServerProcess, sdk: Sdk, room: str
) -> None:
    """Offered anew and shown by New York's clock, the slot is still the same instant."""
    site.show(json.dumps(config(server, resources=[room])))
    await page.open(site.url)
    await page.text(_SLOT)
    await page.seen(_LOADED)
    await page.evaluate(_MOVE_TO_NEW_YORK)
    await page.seen("document.querySelector('.fc-event')?.innerText.includes('06:00am')")
    await page.click(_SLOT)
    await page.seen(_FORM)
    assert await page.text(".bookingjs-bookpage-time") == "06:00am - 07:00am"
    await send_form(page)
    await page.seen(_BOOKED)
    assert [booking["event"]["start"] for booking in bookings(sdk, room)] == [TEN]


async def test_a_page_holds_the_slot_and_hands_it_off(
    page: Page, site: Site, server: ServerProcess, sdk: Sdk, room: str
) -> None:
    """With a `reservation_id`: what the page reserved is what becomes the booking."""
    wanted = json.dumps(config(server, resources=[room], callbacks={"showBookingPage": "HOLD"}))
    await open_form(page, site, wanted.replace('"HOLD"', _HOLD))
    held = await page.seen("window.held")
    meanwhile = sdk("reserveBooking", slot(room))
    assert (meanwhile.rejected, meanwhile.status) == (True, 409)
    await send_form(page)
    await page.seen(_BOOKED)
    (booking,) = bookings(sdk, room)
    assert (booking["reservation_id"], booking["event"]["start"]) == (held, TEN)
    assert page.complaints() == []


async def test_somebody_else_was_quicker(
    page: Page, site: Site, server: ServerProcess, sdk: Sdk, room: str
) -> None:
    """A slot reserved after it was offered: the widget shows its error box with our sentence."""
    await open_form(page, site, json.dumps(config(server, resources=[room])))
    assert sdk("reserveBooking", slot(room, duration=300)).status == 201
    await send_form(page)
    shown = await page.text(".bookingjs-error-text-context")
    assert "The slot is reserved; choose another one, or try again in" in shown
    assert bookings(sdk, room) == []


async def test_what_is_held_is_not_offered(
    page: Page, site: Site, server: ServerProcess, sdk: Sdk, room: str
) -> None:
    """A slot that somebody holds is not on the calendar; its neighbour is."""
    assert sdk("reserveBooking", slot(room, duration=300)).status == 201
    await open_form(page, site, json.dumps(config(server, resources=[room])))
    assert await page.text(".bookingjs-bookpage-time") == "01:00pm - 02:00pm"


async def test_a_page_of_another_origin_sees_nothing(
    page: Page, site: Site, server: ServerProcess, room: str
) -> None:
    """Where the server does not list the page's origin, the browser keeps the reply to itself."""
    site.show(json.dumps(config(server, resources=[room])))
    await page.open(f"http://localhost:{site.port}")
    assert "Fetch Availability" in await page.text(".bookingjs-error-text-message")
    assert any("CORS policy" in complaint for complaint in page.complaints())
