"""The mail page, as a person uses it: by pointer, by keyboard alone, and on a phone."""

import imaplib
import re
import smtplib
from collections.abc import AsyncIterator
from email.message import EmailMessage

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from browser.conftest import PATIENCE_MILLISECONDS, Watch
from mockmail import Accepted, MockMail

pytestmark = pytest.mark.asyncio(loop_scope="session")
expect.set_options(timeout=PATIENCE_MILLISECONDS)


def send(mail: MockMail, subject: str, text: str = "words", to: str = "bob@example.test") -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "Eve <eve@else.test>", to, subject
    message["Message-ID"] = f"<{subject.replace(' ', '-')}@else.test>"
    message.set_content(text)
    with smtplib.SMTP(*mail.smtp.address) as client:
        client.send_message(message)


def row(page: Page, subject: str):
    return page.get_by_role("option").filter(has_text=subject)


async def open_message(page: Page, subject: str) -> None:
    await row(page, subject).click()
    await expect(page.locator("#reader h2.subject")).to_have_text(subject)


async def test_mail_appears_without_a_reload(page: Page, watch: Watch, mail: MockMail) -> None:
    await page.goto("/")
    await expect(page.get_by_text("No mail yet")).to_be_visible()
    await expect(page.locator("#empty")).to_contain_text(str(mail.smtp.port))
    await page.evaluate("window.loaded = 'once'")
    send(mail, "Fresh from SMTP")
    await expect(row(page, "Fresh from SMTP")).to_contain_text("Eve")
    await expect(page).to_have_title("(1) mockmail")
    await expect(page.locator("#sidebar")).to_contain_text("bob@example.test")
    send(mail, "Another one")
    await expect(page.get_by_role("option").first).to_contain_text("Another one")
    await expect(page.locator("#favicon")).to_have_attribute("href", re.compile("^data:image/png"))
    assert await page.evaluate("window.loaded") == "once"
    assert watch.all == []


async def test_reading_marks_it_seen_for_imap(page: Page, mail: MockMail) -> None:
    send(mail, "To be read", "Some words to read")
    client = imaplib.IMAP4(*mail.imap.address)
    try:
        client.login("bob@example.test", "any")
        client.select("INBOX", readonly=True)
        assert b"Seen" not in client.fetch("1", "(FLAGS)")[1][0]
        await page.goto("/")
        await open_message(page, "To be read")
        await expect(page.locator(".tab-panel")).to_contain_text("Some words to read")
        await mail.aio.assert_flagged("Seen", account="bob@example.test")
        client.noop()
        assert b"Seen" in client.fetch("1", "(FLAGS)")[1][0]
    finally:
        client.logout()
    await expect(page).to_have_title("mockmail")


async def test_flags_set_by_others_are_shown_as_they_come(page: Page, mail: MockMail) -> None:
    stored = mail.seed(to="bob@example.test", subject="Watched", text="x")
    await page.goto("/")
    await expect(row(page, "Watched")).to_contain_text("unread")
    mail.account("bob@example.test").inbox.add_flags(stored.uid, "Seen", "Flagged")
    await expect(row(page, "Watched")).to_contain_text("starred")
    await expect(row(page, "Watched")).not_to_contain_text("unread")


async def test_a_message_is_written_and_sent_by_smtp(page: Page, mail: MockMail) -> None:
    mail.account("ann@example.test")
    await page.goto("/")
    await page.get_by_role("button", name="Compose").click()
    box = page.get_by_role("dialog")
    await box.get_by_label("From").fill("ann@example.test")
    await box.get_by_label("To", exact=True).fill("Bob <bob@example.test>")
    await box.get_by_label("Subject").fill("Grüße aus dem Browser")
    await box.get_by_label("Text").fill("Line one\nLine two ✓")
    await box.locator("#mail-files").set_input_files({"name": "ä.txt", "mimeType": "text/plain", "buffer": b"attached"})
    await box.get_by_role("button", name="Send").click()
    message = await mail.aio.assert_delivered(to="bob@example.test", subject="Grüße aus dem Browser")
    assert message.sender == "ann@example.test"
    assert message.text.splitlines() == ["Line one", "Line two ✓"]
    assert [(one.filename, one.content) for one in message.attachments] == [("ä.txt", b"attached")]
    assert mail.events.of(Accepted)[-1].protocol == "smtp"
    await expect(box).to_have_count(0)
    await expect(row(page, "Grüße aus dem Browser")).to_be_visible()


async def test_a_reply_goes_to_who_wrote(page: Page, mail: MockMail) -> None:
    send(mail, "A question", "What is it?")
    await page.goto("/")
    await open_message(page, "A question")
    await page.get_by_role("button", name="Reply", exact=True).click()
    box = page.get_by_role("dialog")
    await expect(box.get_by_label("From")).to_have_value("bob@example.test")
    await expect(box.get_by_label("Subject")).to_have_value("Re: A question")
    await expect(box.get_by_label("Text")).to_have_value(re.compile("> What is it\\?"))
    await box.get_by_role("button", name="Send").click()
    reply = await mail.aio.assert_delivered(to="eve@else.test", subject="Re: A question")
    assert reply.headers["In-Reply-To"] == "<A-question@else.test>"
    assert reply.sender == "bob@example.test"


async def test_a_refusal_is_told_and_nothing_is_lost(page: Page, mail: MockMail) -> None:
    mail.account("bob@example.test")
    mail.faults.smtp("RCPT", reply="550 5.7.1 not today")
    await page.goto("/")
    await page.get_by_role("button", name="Compose").click()
    box = page.get_by_role("dialog")
    await box.get_by_label("To", exact=True).fill("bob@example.test")
    await box.get_by_label("Subject").fill("Kept")
    await box.get_by_role("button", name="Send").click()
    await expect(box.get_by_role("alert")).to_contain_text("not today")
    await expect(box.get_by_label("Subject")).to_have_value("Kept")


async def test_a_message_is_moved(page: Page, mail: MockMail) -> None:
    send(mail, "To be moved")
    await page.goto("/")
    await open_message(page, "To be moved")
    await page.locator("#reader").get_by_role("button", name="Move").click()
    await page.get_by_role("dialog").get_by_role("button", name="Archive").click()
    await mail.aio.assert_moved(to_folder="Archive", account="bob@example.test")
    await page.locator("#sidebar").get_by_role("link", name="Archive").click()
    await expect(page.locator("#place")).to_have_text("Archive")
    await expect(row(page, "To be moved")).to_be_visible()


async def test_messages_are_selected_and_deleted(page: Page, mail: MockMail) -> None:
    for number in range(4):
        send(mail, f"Number {number}")
    await page.goto("/")
    await row(page, "Number 1").click(modifiers=["Control"])
    await row(page, "Number 2").click(modifiers=["Control"])
    await expect(page.locator("#tools")).to_contain_text("2 selected")
    await page.locator("#tools").get_by_role("button", name="Delete").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await mail.aio.assert_deleted(subject="Number 1")
    await mail.aio.assert_deleted(subject="Number 2")
    await expect(page.get_by_role("option")).to_have_count(2)
    assert [one.subject for one in mail.account("bob@example.test").inbox] == ["Number 0", "Number 3"]


async def test_the_list_is_searched(page: Page, mail: MockMail) -> None:
    send(mail, "Invoice 17")
    send(mail, "Newsletter", "an invoice is not here")
    await page.goto("/")
    await page.get_by_role("searchbox").fill("subject:invoice")
    await expect(page.locator("#count")).to_have_text("1 message found")
    await expect(page.get_by_role("option")).to_contain_text(["Invoice 17"])
    await page.get_by_role("searchbox").fill("subject:nothing")
    await expect(page.get_by_text("Nothing found")).to_be_visible()
    await page.get_by_role("searchbox").fill("before:never")
    await expect(page.locator("#empty").get_by_role("alert")).to_be_visible()
    await page.get_by_role("searchbox").fill("")
    await expect(page.get_by_role("option")).to_have_count(2)


async def test_an_attachment_and_the_source_are_downloaded(page: Page, mail: MockMail) -> None:
    message = EmailMessage()
    message["Subject"] = "With a file"
    message.set_content("see the file")
    message.add_attachment(b"%PDF-nothing", maintype="application", subtype="pdf", filename="../Rechnung für Bob.pdf")
    stored = mail.seed(message, to="bob@example.test")
    await page.goto("/")
    await open_message(page, "With a file")
    async with page.expect_download() as file:
        await page.get_by_role("region", name="Attachments").get_by_role("link").click()
    download = await file.value
    assert download.suggested_filename == "Rechnung für Bob.pdf"
    assert (await download.path()).read_bytes() == b"%PDF-nothing"
    async with page.expect_download() as file:
        await page.get_by_role("link", name="Download as .eml").click()
    download = await file.value
    assert download.suggested_filename == f"{stored.id}.eml"
    assert (await download.path()).read_bytes() == stored.raw


async def test_every_way_to_look_at_a_message(page: Page, watch: Watch, mail: MockMail) -> None:
    mail.seed(
        to="bob@example.test", subject="All of it", text="plain words", html="<p>rich words <a href='https://app.test/x'>go</a>",
        headers={"X-Flavour": "vanilla"},
    )  # fmt: skip
    await page.goto("/")
    await open_message(page, "All of it")
    await expect(page.frame_locator(".stage iframe").locator("body")).to_contain_text("rich words")
    panel = page.locator(".tab-panel")
    for tab, words in {
        "Text": "plain words", "Headers": "vanilla", "Source": "X-Flavour: vanilla",
        "Structure": "multipart/alternative", "Links": "https://app.test/x", "Timeline": "Seeded by the test",
    }.items():  # fmt: skip
        await page.get_by_role("tab", name=tab).click()
        await expect(panel).to_contain_text(words)
    assert watch.all == []


async def test_a_paused_list_stands_still(page: Page, mail: MockMail) -> None:
    send(mail, "Before")
    await page.goto("/")
    await expect(row(page, "Before")).to_be_visible()
    await page.locator("#pause").click()
    send(mail, "Meanwhile")
    await expect(page.locator("#pause")).to_contain_text("1 new")
    await expect(page.get_by_role("option")).to_have_count(1)
    await page.locator("#pause").click()
    await expect(row(page, "Meanwhile")).to_be_visible()


async def test_a_reset_empties_the_page(page: Page, mail: MockMail) -> None:
    send(mail, "Of another test")
    await page.goto("/")
    await expect(row(page, "Of another test")).to_be_visible()
    mail.reset()
    await expect(page.get_by_text("No mail yet")).to_be_visible()


async def test_the_queue_is_tried_now(page: Page) -> None:
    with MockMail(http_port=0, domains=["here.test"], relay="open", routes={}) as mail:
        send(mail, "Onward", to="ann@there.test")
        mail.assert_queued(to="ann@there.test", timeout=0)
        await page.goto(f"{mail.http.url}/#/queue")
        await expect(page.locator("#panel")).to_contain_text("ann@there.test")
        await expect(page.locator("#panel")).to_contain_text("no route")
        await page.get_by_role("button", name="Try now: Onward").click()
        await expect(page.locator("#panel .number")).to_have_text("2")
        await page.goto(f"{mail.http.url}/#/sessions")
        await page.locator(".session-list").get_by_role("link").last.click()
        await expect(page.locator(".transcript")).to_contain_text("TO:<ann@there.test>")


async def test_all_of_it_by_the_keyboard_alone(page: Page, mail: MockMail) -> None:
    for number in range(3):
        send(mail, f"Letter {number}", f"body {number}")
    await page.goto("/")
    await expect(page.get_by_role("option")).to_have_count(3)
    press = page.keyboard.press
    await press("Tab")
    await expect(page.locator("#skip")).to_be_focused()
    await press("Enter")
    await expect(page.locator("#listbox")).to_be_focused()
    await press("ArrowDown")
    await press("ArrowDown")
    await press("Enter")
    await expect(page.locator("#reader h2.subject")).to_have_text("Letter 1")
    await expect(page.locator("#reader h2.subject")).to_be_focused()
    await press("2")
    await press("r")
    await expect(page.get_by_role("dialog").get_by_label("To", exact=True)).to_have_value("Eve <eve@else.test>")
    await page.get_by_role("dialog").get_by_label("Text").focus()
    await page.keyboard.type("By keys alone. ")
    await press("Control+Enter")
    await mail.aio.assert_delivered(to="eve@else.test", subject="Re: Letter 1", body="By keys alone.")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await press("Escape")
    await expect(page.locator("#listbox")).to_be_focused()
    await press("/")
    await expect(page.get_by_role("searchbox")).to_be_focused()
    await page.keyboard.type('subject:"Letter 2"')
    await press("Enter")
    await expect(page.get_by_role("option")).to_have_count(1)
    await press("ArrowDown")
    await press("Enter")
    await expect(page.locator("#reader h2.subject")).to_have_text("Letter 2")
    await press("#")
    await mail.aio.assert_deleted(subject="Letter 2")
    await press("?")
    await expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    await press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)


@pytest_asyncio.fixture(loop_scope="session")
async def phone(browser: Browser, mail: MockMail) -> AsyncIterator[Page]:
    context = await browser.new_context(
        viewport={"width": 375, "height": 667}, is_mobile=True, has_touch=True, base_url=mail.http.url
    )
    context.set_default_timeout(PATIENCE_MILLISECONDS)
    yield await context.new_page()
    await context.close()


async def test_it_fits_on_a_phone(phone: Page, mail: MockMail) -> None:
    mail.seed(to="bob@example.test", subject="Pocket", html="<table width=1200><td>wide</table>", text="x" * 500)
    overflow = "document.documentElement.scrollWidth - window.innerWidth"
    await phone.goto("/")
    await row(phone, "Pocket").tap()
    await expect(phone.locator("#reader h2.subject")).to_be_visible()
    await expect(phone.locator("#listbox")).to_be_hidden()
    assert await phone.evaluate(overflow) <= 0
    await phone.get_by_role("button", name="Back to the list").tap()
    await expect(phone.locator("#listbox")).to_be_visible()
    await phone.get_by_role("button", name="Accounts and folders").tap()
    await phone.locator("#sidebar").get_by_role("link", name="INBOX").tap()
    await expect(phone.locator("#place")).to_have_text("INBOX")
    await phone.locator("#compose").tap()
    await expect(phone.get_by_role("dialog")).to_be_visible()
    assert await phone.evaluate(overflow) <= 0
