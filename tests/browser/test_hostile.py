"""The corpus of hostile mail in a true browser: shown, and neither run nor told of to anybody."""

import asyncio
import contextlib

import pytest
from playwright.async_api import BrowserContext, Error, Frame, Page, expect

from browser.conftest import PATIENCE_MILLISECONDS, Canary, Watch
from mockmail import MockMail
from support.hostile import FILENAMES, HARMLESS, HTML, MESSAGES, PART_TYPES, html_message, picture, with_parts

pytestmark = pytest.mark.asyncio(loop_scope="session")
expect.set_options(timeout=PATIENCE_MILLISECONDS)

SETTLED = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"
MARKS = "() => [window.ran, window.parent.ran, document.title].filter(one => one === 1 || one === 'ran').length"


def seeded(mail: MockMail) -> dict[str, str]:
    """IDs of messages by the name of the HTML in them."""
    return {name: mail.seed(html_message(html, name), to="bob@example.test").id for name, html in HTML.items()}


async def press(frame: Frame, *, links: bool) -> None:
    """Press what is there to be pressed; a link that leads elsewhere may be followed by who wants to."""
    for one in await frame.query_selector_all("#click"):
        leads_elsewhere = await one.evaluate("one => one.matches('a') && /^https?:/.test(one.href)")
        if links or not leads_elsewhere:
            await one.dispatch_event("click")


async def fence(page: Page) -> None:
    """Come back once nothing is under way any more."""
    await page.evaluate(SETTLED)
    await page.wait_for_load_state("networkidle")


@pytest.mark.parametrize(
    "name",
    ["script", "picture", "style import", "refresh", "load of the body", "form", "comment that ends early"],
)
async def test_the_canary_hears_what_is_not_held_back(page: Page, watch: Watch, canary: Canary, name: str) -> None:
    """Without our server in front, the corpus does what it wants: this test is of the other ones."""
    await page.goto("/livez")
    await page.set_content(HTML[name], wait_until="commit")
    async with asyncio.timeout(20):
        while not watch.all:
            with contextlib.suppress(Error):  # the page may be going elsewhere meanwhile, which is what we look for
                await press(page.main_frame, links=True)
                await page.evaluate(SETTLED)


async def test_views_opened_directly_do_nothing(page: Page, watch: Watch, mail: MockMail) -> None:
    failed = {}
    for name, message_id in seeded(mail).items():
        before = len(watch.all)
        await page.goto(f"/view/{message_id}.html")
        await expect(page.locator("html")).to_contain_text(HARMLESS)
        await press(page.main_frame, links=False)
        if not page.url.startswith(f"{mail.http.url}/view/{message_id}.html") or await page.evaluate(MARKS):
            failed[name] = ["ran, or went elsewhere"]
        failed.update({name: watch.all[before:]} if watch.all[before:] else {})
    await page.wait_for_load_state("networkidle")
    assert failed == {}
    assert watch.all == []


async def test_views_in_a_frame_do_nothing_either(page: Page, watch: Watch, mail: MockMail) -> None:
    """Held by what the server says alone, in a page that holds nothing back, all at once."""
    ids = seeded(mail)
    await page.goto("/livez")
    await page.evaluate(
        """ids => Promise.all(ids.map(id => new Promise(done => {
            const frame = document.createElement("iframe");
            frame.addEventListener("load", done, { once: true });
            frame.src = `/view/${id}.html?embed=1`;
            document.body.append(frame);
        })))""",
        list(ids.values()),
    )
    for frame in page.frames:
        if "/view/" in frame.url:
            await press(frame, links=False)
            assert await frame.evaluate("() => window.origin") == "null"
    await fence(page)
    assert watch.all == []
    assert page.url == f"{mail.http.url}/livez"
    assert await page.evaluate(MARKS) == 0
    assert len(mail.account("bob@example.test").inbox) == len(ids)


async def test_links_to_the_top_do_not_lead_the_page_away(page: Page, watch: Watch, mail: MockMail) -> None:
    ids = seeded(mail)
    for name in ("link to the top", "link to the parent", "base"):
        await page.goto("/livez")
        await page.evaluate(
            "path => { document.body.innerHTML = `<iframe src='${path}'></iframe>` }", f"/view/{ids[name]}.html"
        )
        frame = page.frame_locator("iframe")
        await expect(frame.locator("body")).to_contain_text(HARMLESS)
        await frame.locator("#click").dispatch_event("click")
        await fence(page)
        assert page.url == f"{mail.http.url}/livez"
    assert watch.all == []


async def test_pictures_within_the_message_are_shown(page: Page, watch: Watch, mail: MockMail) -> None:
    html = f'<img id=a src="cid:pic@x"><div id=b style="background:url(cid:pic@x)">{HARMLESS}</div>'
    part = b"Content-Type: image/png\r\nContent-ID: <pic@x>\r\nContent-Transfer-Encoding: binary\r\n\r\n" + picture(
        3, 2
    )
    message = mail.seed(with_parts(html, part, kind="related"), to="bob@example.test")
    await page.goto(f"/view/{message.id}.html")
    assert await page.evaluate("[document.images[0].naturalWidth, document.images[0].naturalHeight]") == [3, 2]
    assert watch.all == []


async def test_foreign_content_comes_when_it_is_asked_for(page: Page, mail: MockMail, canary: Canary) -> None:
    heard = len(canary.heard)
    message = mail.seed(html_message('<img src="http://pictures.test/x.png">'), to="bob@example.test")
    await page.goto(f"/view/{message.id}.html?remote=1")
    assert [told.split(b"\r\n")[0] for told in canary.heard[heard:]][:1] == [b"GET /x.png HTTP/1.1"]


@pytest.mark.parametrize("name", ["html", "xhtml", "svg", "xml", "html called text", "html called a picture"])
async def test_a_part_that_is_opened_runs_nothing(
    context: BrowserContext, watch: Watch, mail: MockMail, name: str
) -> None:
    kind, content = PART_TYPES[name]
    part = f"Content-Type: {kind}\r\n\r\n".encode() + content
    message = mail.seed(with_parts(HARMLESS, part), to="bob@example.test")
    page = await context.new_page()
    await page.goto("/livez")
    await page.evaluate(
        """path => new Promise(done => {
            const frame = document.createElement("iframe");
            frame.addEventListener("load", done, { once: true });
            frame.src = path;
            document.body.append(frame);
            setTimeout(done, 1000);  // what is downloaded instead never loads
        })""",
        f"/api/v1/message/{message.id}/part/2",
    )
    await fence(page)
    assert await page.evaluate(MARKS) == 0
    assert watch.all == []


async def read_on_the_page(page: Page, message_id: str, subject: str) -> None:
    await page.evaluate("id => { location.hash = `#/all/${id}` }", message_id)
    await expect(page.locator("#reader h2.subject")).to_have_text(subject)


async def test_the_page_shows_hostile_html_and_stays_itself(page: Page, watch: Watch, mail: MockMail) -> None:
    ids = seeded(mail)
    await page.goto("/")
    await expect(page.locator("#count")).to_contain_text(str(len(ids)))
    for name, message_id in ids.items():
        await read_on_the_page(page, message_id, name)
        frame = page.frame_locator(".stage iframe")
        await expect(frame.locator("html")).to_contain_text(HARMLESS)
        (shown,) = [one for one in page.frames if f"/view/{message_id}" in one.url]
        await press(shown, links=False)
    await fence(page)
    assert watch.all == []
    assert await page.evaluate(MARKS) == 0
    assert "mockmail" in await page.title()
    assert len(mail.account("bob@example.test").inbox) == len(ids)


async def test_the_page_shows_hostile_headers_and_attachments(page: Page, watch: Watch, mail: MockMail) -> None:
    large = {"subject of 10 MB", "encoded subject of 10 MB", "line of 10 MB", "10,000 pictures", "one picture often"}
    messages = [make() for name, make in MESSAGES.items() if name not in large]
    for parameter in FILENAMES.values():
        head = f"Content-Type: text/plain\r\nContent-Disposition: attachment; {parameter}\r\n\r\nx"
        messages.append(with_parts(HARMLESS, head.encode()))
    for kind, content in PART_TYPES.values():
        messages.append(with_parts(HARMLESS, f"Content-Type: {kind}\r\n\r\n".encode() + content))
    await page.goto("/")
    stored = [mail.seed(raw, to="bob@example.test").id for raw in messages]
    for message_id in stored:
        await page.evaluate("id => { location.hash = `#/all/${id}` }", message_id)
        await expect(page.locator(f'#reader a[href*="{message_id}"]').first).to_be_attached()
        for tab in ("Headers", "Structure"):
            await page.get_by_role("tab", name=tab).click()
            await expect(page.locator(".tab-panel table, .tab-panel .tree").first).to_be_attached()
    await fence(page)
    assert watch.all == []
    assert await page.evaluate(MARKS) == 0
    assert await page.locator("#reader script, #listbox script, #reader img[onerror]").count() == 0


@pytest.mark.parametrize(
    "name", ["subject of 10 MB", "line of 10 MB", "10,000 parts", "10,000 pictures", "one picture often"]
)
async def test_the_page_stays_responsive_with_large_mail(page: Page, watch: Watch, mail: MockMail, name: str) -> None:
    other = mail.seed(to="bob@example.test", subject="the other one", text="words")
    message = mail.seed(MESSAGES[name](), to="bob@example.test")
    await page.goto(f"/#/all/{message.id}")
    await expect(page.locator(f'#reader a[href*="{message.id}"]').first).to_be_attached()
    for tab in ("Text", "Source", "Structure", "Headers"):
        await page.get_by_role("tab", name=tab).click()
        await expect(page.locator(".tab-panel .hint", has_text="Loading")).to_have_count(0)
    await read_on_the_page(page, other.id, "the other one")
    assert watch.all == []
