"""/docs in a browser: at the width of a desk and of a hand, by day and by night, by keyboard."""

import pytest

from tests.e2e.conftest import SCREENSHOTS
from tests.e2e.page import Page
from tests.faults.process import ServerProcess

WIDE, NARROW = 1300, 390
# What reaches over the right margin, everything unfolded; what is out of the way on purpose is not.
_OVER = """(() => {
  document.querySelectorAll("details").forEach((each) => (each.open = true));
  const over = (each) => each.getBoundingClientRect().right > document.documentElement.clientWidth;
  const cut = (each) => each.scrollWidth > each.clientWidth && each.clientWidth > 0
    && getComputedStyle(each).display !== "inline";
  return [...document.querySelectorAll("body *")].filter((each) => over(each) || cut(each))
    .map((each) => each.outerHTML.slice(0, 80));
})()"""
_FOCUS = """(() => {
  const focused = document.activeElement, style = getComputedStyle(focused);
  return [focused.matches(":focus-visible"), parseFloat(style.outlineWidth), style.outlineStyle,
    focused.textContent];
})()"""


def at(place: str) -> str:
    """Return an expression that tells whether an element is where it can be seen."""
    box = f"document.querySelector({place!r}).getBoundingClientRect()"
    return f"(({{ top, bottom, width }}) => width > 0 && top < innerHeight && bottom > 0)({box})"


async def show(page: Page, server: ServerProcess, width: int, scheme: str = "light") -> None:
    """Open /docs in a window of this width."""
    size = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width == NARROW}
    await page.command("Emulation.setDeviceMetricsOverride", **size)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    await page.command("Emulation.setEmulatedMedia", features=features)
    await page.open(f"{server.url}/docs")


async def press_tab(page: Page) -> None:
    """Move the focus on."""
    for kind in ("rawKeyDown", "keyUp"):
        await page.command(
            "Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9
        )


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [WIDE, NARROW])
async def test_nothing_runs_over_the_margin(
    page: Page, server: ServerProcess, width: int, scheme: str
) -> None:
    """The page is as wide as its window, and nothing on it is wider or cut off."""
    await show(page, server, width, scheme)
    assert await page.evaluate("document.documentElement.scrollWidth") == width
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    await page.evaluate("document.querySelector('#bookSlot').scrollIntoView()")
    await page.screenshot(SCREENSHOTS / f"docs-{width}-{scheme}.png")
    assert await page.evaluate(_OVER) == []
    assert page.complaints() == []


@pytest.mark.parametrize("width", [WIDE, NARROW])
async def test_night_is_dark(page: Page, server: ServerProcess, width: int) -> None:
    """Text is lighter than the page in a dark scheme, and darker in a light one."""
    ground = "getComputedStyle(document.body).backgroundColor"
    found = []
    for scheme in ("light", "dark"):
        await show(page, server, width, scheme)
        text = await page.evaluate(f"[{ground}, getComputedStyle(document.body).color]")
        found.append([sum(map(int, each.strip("rgb()").split(","))) for each in text])
    (page_by_day, text_by_day), (page_by_night, text_by_night) = found
    assert page_by_day > text_by_day
    assert page_by_night < text_by_night


async def test_the_list_of_calls_stays_at_the_side(page: Page, server: ServerProcess) -> None:
    """Where there is room: it is there wherever one has scrolled to, and leads to a call."""
    await show(page, server, WIDE)
    await page.click('nav a[href="#bookSlot"]')
    await page.seen(at("#bookSlot"))
    assert await page.evaluate("scrollY") > 0
    assert await page.evaluate(at("#menu"))
    left = "document.querySelector('#bookSlot').getBoundingClientRect().left"
    assert await page.evaluate("document.querySelector('#menu').offsetWidth") < await page.evaluate(
        left
    )


async def test_the_list_of_calls_opens_and_closes(page: Page, server: ServerProcess) -> None:
    """Where there is none: a bar that stays in sight opens it, and choosing a call closes it."""
    await show(page, server, NARROW)
    hidden = "document.querySelector('#menu').offsetWidth === 0"
    assert await page.evaluate(hidden)
    await page.evaluate("document.querySelector('#Booking').scrollIntoView()")
    await page.click('.bar a[href="#menu"]')
    assert not await page.evaluate(hidden)
    await page.click('nav a[href="#bookSlot"]')
    assert await page.evaluate(hidden)
    await page.seen(at("#bookSlot"))
    assert await page.evaluate(at(".bar"))


async def test_an_example_stands_beside_its_fields(page: Page, server: ServerProcess) -> None:
    """On a wide page, request and reply begin at the height of the parameters."""
    await show(page, server, WIDE)
    tops = "[...document.querySelectorAll('#bookSlot > div > div')].map((each) => each.offsetTop)"
    fields, example = await page.evaluate(tops)
    assert fields == example


@pytest.mark.parametrize("width", [WIDE, NARROW])
async def test_the_focus_of_the_keyboard_is_seen(
    page: Page, server: ServerProcess, width: int
) -> None:
    """Every stop has an outline, and the first of them skips the list."""
    await show(page, server, width)
    stops = []
    for _ in range(6):
        await press_tab(page)
        is_visible, outline_px, style, text = await page.evaluate(_FOCUS)
        assert (is_visible, style) == (True, "solid"), text
        assert outline_px >= 2, text
        stops.append(text)
    assert stops[0] == "Skip to the calls"
    assert len(set(stops)) == len(stops)
