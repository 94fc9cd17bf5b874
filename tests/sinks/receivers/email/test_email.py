"""People on lists get mails of what began, what changed and the end, over TLS, one conversation for each incident."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from pydantic import SecretStr

from detectors.incidents import Command, Note
from sinks.chart.outage import draw
from sinks.receivers.answers import Answer, Delivered, Refused, Retry
from sinks.receivers.email.client import Email
from sinks.receivers.email.config import EmailSettings
from sinks.receivers.email.wording import message_id, render
from streams.settings.settings import SettingsError, read_settings
from tests.sinks.receivers.email.relay import Certificate, Relay, certificate, serving
from tests.sinks.samples import NAMES, OPENED, command, commands, crammed, incident, no_receipts

ACTIONS = ("open", "update", "resolve")
TO = ("ada@va.example", "call-center@va.example")
PASSWORD = "hunter2-of-the-relay"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate(tmp_path_factory.mktemp("relay"))


def email(relay: Relay, made: Certificate | None, **more: Any) -> Email:
    fields = {
        "security": "starttls",
        "sender": "watch@va.example",
        "to": TO,
        "names": NAMES,
        "deadline": 5.0,
        **more,
    }
    ca_file = str(made.file) if made is not None else None
    return Email(host="localhost", port=relay.port, ca_file=ca_file, clock=lambda: OPENED, **fields)


def mail_of(said: Command) -> EmailMessage:
    return render(said, sender="watch@va.example", to=TO, now=OPENED, names=NAMES)


def text_of(mail: EmailMessage, subtype: str) -> str:
    part = mail.get_body((subtype,))
    assert isinstance(part, EmailMessage)
    return str(part.get_content())


async def over(relay: Relay, made: Certificate | None, said: Command, **more: Any) -> Answer:
    return await email(relay, made, **more).send(said, no_receipts)


async def test_a_mail_brings_the_chart_along(made: Certificate) -> None:
    picture = draw("SSOe sign-in is failing", (), until=OPENED)

    async def drawn(command: Command) -> bytes | None:
        return picture

    async with serving(Relay(), made) as relay:
        assert isinstance(await over(relay, made, command("email", "open"), picture=drawn), Delivered)
    (mail,) = relay.mails
    assert [part.get_content_type() for part in mail.walk()] == [
        "multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png",
    ]  # fmt: skip
    (attached,) = [part for part in mail.walk() if part.get_content_type() == "image/png"]
    assert attached.get_payload(decode=True) == picture
    assert f'<img src="cid:{attached["Content-ID"].strip("<>")}"' in text_of(mail, "html")


async def test_a_mail_goes_to_the_list_over_tls_after_a_password(made: Certificate) -> None:
    async with serving(Relay(), made, password=PASSWORD) as relay:
        answer = await over(relay, made, command("email", "open"), user="watch", password=SecretStr(PASSWORD))
        assert isinstance(answer, Delivered), answer
    assert relay.recipients == [list(TO)]
    assert relay.encrypted == [True]
    (mail,) = relay.mails
    assert mail["Subject"] == "SEV 1: SSOe sign-in is failing (prod-7)"
    assert mail["From"] == "watchofficer <watch@va.example>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Importance"] == "high"
    assert "SSOe sign-in is failing. ~9,400 people an hour (projected)." in text_of(mail, "plain")
    assert "Runbook: https://runbooks.example/ssoe" in text_of(mail, "plain")
    assert '<a href="https://runbooks.example/ssoe">Runbook</a>' in text_of(mail, "html")
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]


async def test_tls_from_the_first_byte_works_too(made: Certificate) -> None:
    async with serving(Relay(), made, at_once=True) as relay:
        assert isinstance(await over(relay, made, command("email", "open"), security="tls"), Delivered)
    assert len(relay.mails) == 1


async def test_a_relay_without_tls_gets_nothing(made: Certificate) -> None:
    async with serving(Relay(), None) as relay:
        answer = await over(relay, made, command("email", "open"), user="watch", password=SecretStr(PASSWORD))
    assert isinstance(answer, Refused)
    assert "STARTTLS" in answer.why
    assert relay.mails == []


async def test_a_relay_with_a_certificate_of_somebody_else_gets_nothing(made: Certificate) -> None:
    async with serving(Relay(), made) as relay:
        answer = await over(relay, None, command("email", "open"))
    assert isinstance(answer, Retry)
    assert answer.kind == "tls"
    assert relay.mails == []


async def test_the_mails_of_an_incident_are_one_conversation(made: Certificate) -> None:
    said = [
        command("email", "open"),
        command("email", "update", kind="declared", id="second"),
        command("email", "resolve", kind="resolved", id="third", incident=incident(state="resolved")),
    ]
    async with serving(Relay(), made) as relay:
        for one in said:
            assert isinstance(await over(relay, made, one), Delivered)
        assert isinstance(await over(relay, made, said[1]), Delivered)  # its answer was lost
    first, second, third, again = relay.mails
    assert first["References"] is None
    assert second["References"] == third["References"] == second["In-Reply-To"] == first["Message-ID"]
    assert again["Message-ID"] == second["Message-ID"]
    assert len({mail["Message-ID"] for mail in relay.mails}) == 3
    assert second["Subject"].startswith("Declared: ")
    assert third["Subject"] == "Resolved: was SEV 1: SSOe sign-in works again (prod-7)"


def test_lists_and_epochs_have_conversations_of_their_own() -> None:
    ids = {
        message_id(command(sink, "open", dedup_key=key), "va.example")
        for sink in ("email", "email:leadership")
        for key in ("watchofficer:prod-7:0", "watchofficer:prod-7:1")
    }
    assert len(ids) == 4


@pytest.mark.parametrize(
    ("says", "outcome"),
    [
        ("250 OK", Delivered),
        ("421 closing", Retry),
        ("451 try later", Retry),
        ("452 too many", Retry),
        ("550 no", Refused),
        ("552 too large", Refused),
        ("554 spam", Refused),
    ],
)
async def test_what_the_relay_says_after_the_data_decides(
    made: Certificate, says: str, outcome: type[object]
) -> None:
    async with serving(Relay(answers=[says]), made) as relay:
        answer = await over(relay, made, command("email", "open"))
    assert isinstance(answer, outcome)
    if not isinstance(answer, Delivered):
        assert says[:3] in answer.why


@pytest.mark.parametrize(
    ("refused", "outcome"),
    [
        ({TO[0]: "550 unknown"}, Delivered),
        ({TO[0]: "550 unknown", TO[1]: "550 unknown"}, Refused),
        ({TO[0]: "550 unknown", TO[1]: "450 busy"}, Retry),
    ],
)
async def test_one_wrong_address_keeps_the_mail_from_nobody_else(
    made: Certificate, refused: dict[str, str], outcome: type[object]
) -> None:
    async with serving(Relay(refused=refused), made) as relay:
        answer = await over(relay, made, command("email", "open"))
    assert isinstance(answer, outcome)
    if isinstance(answer, Delivered):
        assert relay.recipients == [[TO[1]]]
        assert answer.receipt["refused_addresses"] == "1"
    else:
        assert "ada@" not in answer.why


async def test_a_wrong_password_is_a_reason_and_not_repeated(made: Certificate) -> None:
    async with serving(Relay(), made, password="another") as relay:
        answer = await over(relay, made, command("email", "open"), user="watch", password=SecretStr(PASSWORD))
    assert isinstance(answer, Refused)
    assert "does not take the password" in answer.why
    assert PASSWORD not in answer.why


async def test_a_relay_that_never_answers_is_left_at_the_deadline(made: Certificate) -> None:
    async with serving(Relay(silent=True), made) as relay:
        began = time.monotonic()
        answer = await over(relay, made, command("email", "open"), deadline=0.4)
        assert time.monotonic() - began < 3
    assert isinstance(answer, Retry)
    assert answer.kind == "no_answer"


async def test_a_relay_that_drips_is_left_at_the_deadline() -> None:
    left = asyncio.Event()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not (reader.at_eof() or writer.is_closing()):  # left in order, or by a reset
            writer.write(b"x")
            await asyncio.sleep(0.02)
        writer.close()
        left.set()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    relay = Relay(port=server.sockets[0].getsockname()[1])
    answer = await over(relay, None, command("email", "open"), deadline=0.3)
    await asyncio.wait_for(left.wait(), 60)  # it is the end that counts, on a busy machine too
    server.close()
    assert isinstance(answer, Retry)
    assert "0.3 s" in answer.why


async def test_no_relay_is_told_by_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Email(host="localhost", port=1, sender="watch@va.example", to=TO, clock=lambda: OPENED)
    refused = await client.send(command("email", "open"), no_receipts)
    assert isinstance(refused, Retry)
    assert refused.kind == "connect"

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)  # a resolver may take longer than a test
    unnamed = await client.send(command("email", "open"), no_receipts)
    assert isinstance(unnamed, Retry)
    assert unnamed.kind == "dns"


# -- the mail itself -----------------------------------------------------------------------------------------


@given(commands("email", ACTIONS))
def test_no_text_becomes_a_header_or_a_tag_and_no_line_is_too_long(said: Command) -> None:
    mail = mail_of(said)
    raw = mail.as_bytes()
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert set(mail.keys()) <= {
        *("From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "Auto-Submitted"),
        *("List-Id", "List-Unsubscribe", "Importance", "MIME-Version", "Content-Type"),
    }
    tags = text_of(mail, "html")
    assert "<script" not in tags.lower()
    assert tags.count("<h2") == 1


def test_hostile_notes_are_shown_as_they_are() -> None:
    note = Note(OPENED, "Ada\r\nBcc: all@va.example", "<script>alert(1)</script>\u202e \x00*bold*")
    mail = mail_of(command("email", "update", kind="update", incident=incident(notes=(note,))))
    assert mail["Bcc"] is None
    assert "15:05 UTC Ada Bcc: all@va.example: <script>alert(1)</script> *bold*" in text_of(mail, "plain")
    assert "&lt;script&gt;alert(1)&lt;/script&gt; *bold*" in text_of(mail, "html")


def test_even_the_most_crammed_incident_is_a_mail_of_bounded_size() -> None:
    assert len(mail_of(crammed("email", "open")).as_bytes()) < 200_000


def test_other_letters_survive_in_subject_and_text() -> None:
    about = incident(sentence="Señales: サインイン 97 of 100 failed.", scope="prod/*/*/müller")
    mail = mail_of(command("email", "open", incident=about))
    assert mail.as_bytes().isascii()
    assert "サインイン" in text_of(mail, "plain")


# -- settings and order --------------------------------------------------------------------------------------

BASE = {
    "WATCHOFFICER_EMAIL__HOST": "smtp.va.example",
    "WATCHOFFICER_EMAIL__SENDER": "watch@va.example",
    "WATCHOFFICER_EMAIL__TO": "ada@va.example, bob@va.example",
}


def test_lists_are_receivers_of_their_own_over_the_same_relay(tmp_path: Path) -> None:
    lists = json.dumps({"leadership": "chief@va.example", "call-center": "a@va.example b@va.example"})
    settings = read_settings({**BASE, "WATCHOFFICER_EMAIL__LISTS": lists})
    assert settings.sinks() == {"email", "email:leadership", "email:call-center"}
    found = dict(settings.receivers())
    assert isinstance(found["email:leadership"], EmailSettings)
    assert found["email:leadership"].to == "chief@va.example"
    assert found["email:leadership"].host == "smtp.va.example"


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("TO", "ada", "addresses"),
        ("TO", "ada@va.example\r\nBcc: x@y.example", "addresses"),
        ("SENDER", "Watch <watch@va.example>", "an address"),
        ("HOST", "smtp.va.example:25/x", "host of a relay"),
        ("LISTS", '{"leadership": ["chief@va.example"]}', "addresses"),
        ("LISTS", "leadership", "JSON object"),
        ("PASSWORD", "s3cr3t", "together"),
        ("SECURITY", "ssl", "starttls"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(name: str, value: str, says: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read_settings({**BASE, f"WATCHOFFICER_EMAIL__{name}": value})
    assert says in str(refused.value)
    assert "s3cr3t" not in str(refused.value)


def test_a_password_is_never_sent_in_the_clear() -> None:
    extra = {"USER": "watch", "PASSWORD": PASSWORD, "SECURITY": "none"}
    with pytest.raises(SettingsError, match="in the clear"):
        read_settings({**BASE, **{f"WATCHOFFICER_EMAIL__{name}": value for name, value in extra.items()}})


def test_of_mails_that_wait_those_are_left_out_that_a_later_one_makes_old() -> None:
    opened = command("email", "open")
    routine = command("email", "update", kind="update")
    declared = command("email", "update", kind="declared")
    over = command("email", "resolve", kind="resolved")
    assert EmailSettings.overtaken(routine, [declared]) == "superseded"
    assert EmailSettings.overtaken(declared, [routine]) is None
    assert EmailSettings.overtaken(declared, [over]) == "superseded"
    assert EmailSettings.overtaken(opened, [over]) is None
