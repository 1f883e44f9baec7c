"""What axe-core finds in the page: nothing serious, dark and light, wherever one is."""

from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from browser.conftest import PATIENCE_MILLISECONDS
from mockmail import MockMail

pytestmark = pytest.mark.asyncio(loop_scope="session")
expect.set_options(timeout=PATIENCE_MILLISECONDS)

RUN = """async () => {
    const found = await axe.run(document, { iframes: false, resultTypes: ["violations"] });
    return found.violations.filter(one => ["serious", "critical"].includes(one.impact)).map(
        one => [one.id, one.nodes.map(node => node.html.slice(0, 200) + " " + node.failureSummary)]);
}"""


async def serious(page: Page, axe: str) -> Any:
    await page.evaluate(f"() => {{ {axe} }}")
    return await page.evaluate(RUN)


@pytest.mark.parametrize("width", [1280, 375])
@pytest.mark.parametrize("scheme", ["dark", "light"])
async def test_nothing_serious_is_found(browser: Browser, mail: MockMail, axe: str, scheme: Any, width: int) -> None:
    context = await browser.new_context(
        base_url=mail.http.url, color_scheme=scheme, viewport={"width": width, "height": 800}, reduced_motion="reduce"
    )
    context.set_default_timeout(PATIENCE_MILLISECONDS)
    try:
        page = await context.new_page()
        found = {}
        await page.goto("/")
        await expect(page.locator("#empty")).to_be_visible()
        found["nothing there"] = await serious(page, axe)
        mail.seed(to="bob@example.test", subject="Read", text="x", flags=("Seen", "Flagged"), headers={"X-Tags": "tag"})
        mail.seed(to="bob@example.test", subject="Unread", html="<p>x https://x.test</p>", text="x", attachments=[])
        await expect(page.get_by_role("option")).to_have_count(2)
        found["list"] = await serious(page, axe)
        await page.get_by_role("option").filter(has_text="Unread").click()
        for tab in ("HTML", "Text", "Headers", "Structure", "Timeline"):
            await page.get_by_role("tab", name=tab).click()
            await expect(page.locator(".tab-panel .hint", has_text="Loading")).to_have_count(0)
            found[tab] = await serious(page, axe)
        await page.get_by_role("button", name="Compose").click()
        await expect(page.get_by_role("dialog")).to_be_visible()
        found["compose"] = await serious(page, axe)
        await page.keyboard.press("Escape")
        for place in ("queue", "sessions"):
            await page.goto(f"/#/{place}")
            await expect(page.locator("#panel h2")).to_be_visible()
            found[place] = await serious(page, axe)
        assert {place: one for place, one in found.items() if one} == {}
    finally:
        await context.close()
