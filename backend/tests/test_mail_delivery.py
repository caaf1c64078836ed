"""Mail: rendered, written with what caused it, delivered once, and shown in development."""

from datetime import timedelta
from typing import Any

import pytest
from aiosmtplib import SMTPException
from sqlalchemy import select, text

from backend import mail
from backend.core.settings import Settings
from backend.db.models import OutgoingMail
from backend.db.session import Database
from backend.mail.message import Link, as_html, as_text, links_in
from backend.mail.service import deliver, mailbox
from backend.tests.factories.users import settings_for_tests
from backend.tests.fakes.smtp import MailServer, mail_server
from backend.tests.moments import NOW

TO = "ada@example.com"
LINK = Link("Confirm", "https://web.example/verify-email?token=a-b_c&x=1")


async def sent(
    database: Database, *, to: str = TO, subject: str = "A subject", link: Link | None = LINK
) -> OutgoingMail:
    async with database.system() as session:
        await mail.send(session, to=to, subject=subject, paragraphs=["Grüße, <b>Ada</b> & all."], link=link)
    async with database.read() as session:
        return (await session.scalars(select(OutgoingMail).order_by(OutgoingMail.id.desc()).limit(1))).one()


async def stored(database: Database) -> OutgoingMail:
    async with database.read() as session:
        return (await session.scalars(select(OutgoingMail))).one()


def through(server: MailServer, **changes: Any) -> Settings:
    return settings_for_tests(smtp_host="127.0.0.1", smtp_port=server.port, smtp_use_tls=False, **changes)


def test_text_is_plain_and_html_is_escaped() -> None:
    plain, html = as_text(["One & <two>"], LINK), as_html(["One & <two>"], LINK)
    assert plain == f"One & <two>\n\nConfirm:\n{LINK.url}\n"
    assert "<p>One &amp; &lt;two&gt;</p>" in html
    assert 'href="https://web.example/verify-email?token=a-b_c&amp;x=1"' in html
    assert links_in(plain) == [LINK.url]
    assert links_in(as_text(["No link"], None)) == []


@pytest.mark.parametrize("hostile", ['"><script>alert(1)</script>', "javascript:alert(1)", "'\"&<>"])
def test_nothing_that_is_shown_becomes_markup(hostile: str) -> None:
    html = as_html([hostile], Link(hostile, f"https://web.example/{hostile}"))
    assert "<script" not in html
    assert html.count('"') == as_html(["x"], Link("x", "https://web.example/x")).count('"')


async def test_a_mail_and_its_job_are_written_with_what_caused_them_or_not_at_all(database: Database) -> None:
    async def fail() -> None:
        async with database.system() as session:
            await mail.send(session, to=TO, subject="Never", paragraphs=["x"])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    async with database.read() as session:
        assert await mailbox(session, to=None) == []
        assert await session.scalar(text("SELECT count(*) FROM procrastinate_jobs")) == 0


async def test_without_a_mail_server_it_stays_in_the_mailbox(database: Database) -> None:
    written = await sent(database)
    await deliver(database, settings_for_tests(), mail_id=written.id, now=NOW)
    assert ((await stored(database)).delivery, (await stored(database)).sent_at) == ("mailbox", NOW)


async def test_it_is_handed_to_the_mail_server_once(database: Database) -> None:
    written = await sent(database, subject="Grüße — hier")
    async with mail_server() as server:
        settings = through(server, email_from_name="Feature, Inc. (Ops)", email_from_address="no-reply@example.com")
        for _ in range(2):
            await deliver(database, settings, mail_id=written.id, now=NOW)
        (message,) = server.messages
        assert server.recipients == [TO]
    assert (message["To"], message["Subject"]) == (TO, "Grüße — hier")
    (sender,) = message["From"].addresses
    assert (sender.display_name, sender.addr_spec) == ("Feature, Inc. (Ops)", "no-reply@example.com")
    assert message["Message-ID"] == f"<{written.id}@example.com>"
    plain, rich = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is not None
    assert rich is not None
    assert plain.get_content().replace("\r\n", "\n") == written.text_body
    assert rich.get_content().strip() == written.html_body
    assert ((await stored(database)).delivery, (await stored(database)).sent_at) == ("sent", NOW)


async def test_what_the_mail_server_refuses_is_tried_again(database: Database) -> None:
    written = await sent(database)
    async with mail_server() as server:
        server.refusal = "451 later"
        with pytest.raises(SMTPException):
            await deliver(database, through(server), mail_id=written.id, now=NOW)
        assert (await stored(database)).delivery == "queued"
        server.refusal = None
        await deliver(database, through(server), mail_id=written.id, now=NOW + timedelta(minutes=1))
        assert len(server.messages) == 1
    with pytest.raises(OSError, match=r"."):
        await deliver(database, through(server), mail_id=(await sent(database)).id, now=NOW)


async def test_the_mailbox_shows_what_was_written_newest_first_before_any_delivery(database: Database) -> None:
    await sent(database, subject="First")
    await sent(database, subject="Second")
    await sent(database, to="eve@example.com", subject="Hers")
    async with database.read() as session:
        assert [found.subject for found in await mailbox(session, to=TO.upper())] == ["Second", "First"]
        assert [found.subject for found in await mailbox(session, to=None)] == ["Hers", "Second", "First"]
        assert await mailbox(session, to="nobody@example.com") == []
