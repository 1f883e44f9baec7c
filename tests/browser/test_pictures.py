"""The pictures of the documentation: made in each run, and written by ``MOCKMAIL_WRITE_PICTURES=1``."""

import datetime
import io
import os
from pathlib import Path

import pytest
from PIL import Image
from playwright.async_api import Browser, Page, expect

from browser.conftest import PATIENCE_MILLISECONDS
from mockmail import MockMail

pytestmark = pytest.mark.asyncio(loop_scope="session")
expect.set_options(timeout=PATIENCE_MILLISECONDS)

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "images"
LIMIT_BYTES = 120_000
WELCOME = """<div style="font-family:sans-serif;max-width:520px;margin:auto;padding:24px">
<h1 style="color:#0b57d0">Welcome, Bob</h1><p>Your account is nearly ready. Confirm your address to begin.</p>
<p><a href="https://app.test/confirm?t=1" style="background:#0b57d0;color:#fff;padding:12px 20px;border-radius:8px">
Confirm</a></p><p style="color:#666">You get this mail because you signed up at app.test.</p></div>"""

APP = "App <no-reply@app.test>"


def story(mail: MockMail) -> None:
    """Some mail of an application and of people."""
    start = datetime.datetime(2026, 11, 23, 9, 0, tzinfo=datetime.UTC)
    letters = [
        ("ann@example.test", "Shop <orders@shop.test>", "Order 1042 has been shipped", "It is on its way.", None),
        ("bob@example.test", "Ann <ann@example.test>", "Lunch on Friday?", "The usual place at noon?", None),
        ("desk@example.test", "Eve <eve@else.test>", "It broke", "The printer is on fire. Please help!", None),
        ("bob@example.test", APP, "Your code is 481 516", "481516 is valid for ten minutes.", None),
        ("bob@example.test", APP, "Welcome to the app", "Confirm: https://app.test/confirm?t=1", WELCOME),
    ]  # fmt: skip
    for number, (to, from_, subject, text, html) in enumerate(letters):
        mail.seed(
            to=to, from_=from_, subject=subject, text=text, html=html, flags=("Seen",) if number < 2 else (),
            received_at=start + datetime.timedelta(minutes=7 * number),
        )  # fmt: skip


async def picture(page: Page, name: str) -> None:
    """A picture of what is on the screen, of at most 256 colours; into the documentation when it is asked for."""
    with Image.open(io.BytesIO(await page.screenshot(animations="disabled"))) as shot:
        out = io.BytesIO()
        shot.convert("RGB").quantize(256).save(out, "PNG", optimize=True)
        assert shot.getcolors(maxcolors=16) is None, "there is next to nothing on the picture"
    assert out.tell() < LIMIT_BYTES
    if os.environ.get("MOCKMAIL_WRITE_PICTURES"):
        PICTURES.mkdir(exist_ok=True)
        (PICTURES / f"{name}.png").write_bytes(out.getvalue())
    assert (PICTURES / f"{name}.png").is_file()


@pytest.mark.parametrize(
    ("name", "scheme", "size"),
    [("page-light", "light", (1200, 720)), ("page-dark", "dark", (1200, 720)), ("page-phone", "light", (390, 720))],
)
async def test_a_picture_of_the_page(
    browser: Browser, mail: MockMail, name: str, scheme: str, size: tuple[int, int]
) -> None:
    story(mail)
    context = await browser.new_context(
        base_url=mail.http.url, color_scheme=scheme, viewport={"width": size[0], "height": size[1]}, locale="en-GB",
        timezone_id="UTC", reduced_motion="reduce",
    )  # fmt: skip
    context.set_default_timeout(PATIENCE_MILLISECONDS)
    try:
        page = await context.new_page()
        await page.goto("/")
        await expect(page.get_by_role("option")).to_have_count(5)
        if size[0] > 900:
            await page.get_by_role("option").filter(has_text="Welcome to the app").click()
            await expect(page.frame_locator(".stage iframe").get_by_text("Confirm", exact=True)).to_be_visible()
            await expect(page.locator(".row.active.unread")).to_have_count(0)
        await picture(page, name)
    finally:
        await context.close()
