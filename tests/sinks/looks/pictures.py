"""How do console and receivers show the demo's outage to a person? ``make pictures`` plays it, for pictures in docs.

The console is photographed in the middle of the outage. The demo's own deployment sends to its sandboxes, and by a
route to a mail relay and a channel of Teams besides. Chromium shows what came: Slack's channel as the sandbox shows it,
a mail's own HTML, and the cards of Teams by Microsoft's renderer of Adaptive Cards.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import msgspec

from detectors.instants import MINUTE
from detectors.policy.policy import Policy
from sinks.html import Html, joined, tag
from sinks.sandbox.faces import STYLE, channel
from sinks.sandbox.inbox import InboxSandbox
from sinks.sandbox.slack import Message
from streams.demo.deployment import Deployment, pick_port
from streams.settings.policy_file import default_policy
from streams.settings.settings import Settings
from tests.sinks.receivers.email.relay import Relay, serving
from tests.support.browser.chromium import chromium, tab

__all__ = ["main", "pages"]

FOLDER = Path(__file__).parents[3] / "docs"
#: Pages of the console, with their height in pixels.
_CONSOLE = {"overview": ("/", 1_000), "incident": ("/incidents/prod-1", 1_250)}
_CONSOLE_WIDTH = 1_280
_SCENARIO = "ssoe_outage"
_SPEED = 60.0
_PATIENCE_SECONDS = 1_800
_MOST_BYTES = 120_000
_WIDTH = 780
_KEY = "the key of a demo, whose charts nobody else sees"
_BODY = """html{overflow:hidden}
body{margin:0;padding:14px;width:750px;background:#fff;color:#1b1b1b;font:15px/1.45 'Segoe UI',Arial,sans-serif}
.light{display:inline-block;width:.8em;height:.8em;border-radius:50%}.mail{border:1px solid #d1d1d1;border-radius:6px;
padding:0 14px;margin-bottom:12px}.card{border:1px solid #d1d1d1;border-radius:6px;padding:2px;margin-bottom:12px}
.ac-pushButton{margin:2px}"""
#: What the letters of this machine may lack.
_LIGHTS = {"🔴": "#b3261e", "🟠": "#b25e09", "🟡": "#c9a400", "🟢": "#1b6b33"}
#: What Teams sets: its letters and colours.
_TEAMS = {
    "fontFamily": "'Segoe UI',Arial,sans-serif",
    "containerStyles": {
        "default": {
            "foregroundColors": {
                name: {"default": colour, "subtle": colour}
                for name, colour in (
                    ("default", "#242424"), ("attention", "#C4314B"), ("warning", "#835C00"),
                    ("good", "#237B4B"), ("accent", "#5B5FC7"),
                )
            }
        }
    },
}  # fmt: skip


class _Told(Deployment):
    """The demo's deployment, which tells a mail relay and a channel of Teams too, and whose charts can be fetched."""

    def __init__(self, policy: Policy, port: int, folder: Path, more: dict[str, Any]) -> None:
        super().__init__(_SCENARIO, 0, _SPEED, policy, port, folder)
        self._more = more

    def _settings(self, port: int) -> Settings:
        settings = super()._settings(port)
        parts = {name: getattr(settings, name) for name in settings.model_fields_set}
        return Settings.model_validate(parts | self._more)


def _policy(port: int) -> Policy:
    values = json.loads(default_policy().canonical())
    values["notify"]["console_url"] = f"http://127.0.0.1:{port}"
    values["routes"] = [{"match": {"env": "prod"}, "receivers": ["email", "teams"]}]
    return Policy.model_validate(values)


def pages(
    messages: Sequence[Message], mails: Sequence[EmailMessage], cards: list[dict[str, Any]], renderer: str
) -> dict[str, str]:
    """The pages that Chromium shows, by receiver.

    Args:
        messages: those of Slack; what belongs to no incident is left out.
        mails: some mails.
        cards: what Teams got, the oldest first.
        renderer: the script that draws Adaptive Cards.
    """
    drawn = (
        "for (const card of CARDS) {const one = new AdaptiveCards.AdaptiveCard();"
        "one.hostConfig = new AdaptiveCards.HostConfig(CONFIG); one.parse(card);"
        "const box = document.createElement('div'); box.className = 'card';"
        "box.append(one.render()); document.body.append(box);}"
    )
    drawn = drawn.replace("CARDS", json.dumps(cards)).replace("CONFIG", json.dumps(_TEAMS))
    # Within a script only this would end it.
    renderer, drawn = (one.replace("</script", "<\\/script") for one in (renderer, drawn))
    script = Html(f"<script>{renderer}</script><script>{drawn}</script>")
    return {
        "slack": _page(STYLE, channel([one for one in messages if one.metadata is not None])),
        "email": _page("", joined(_mail(one) for one in mails)),
        "teams": _page("", script),
    }


def _page(style: str, body: Html) -> str:
    head = tag("head", tag("meta", charset="utf-8"), tag("style", Html(_BODY + style)))
    page = f"<!doctype html>{tag('html', head, tag('body', body))}"
    for light, colour in _LIGHTS.items():
        page = page.replace(light, f'<span class="light" style="background:{colour}"></span>')
    return page


def _mail(mail: EmailMessage) -> Html:
    """A mail as a program shows it: who, what, and its own HTML with the picture that it brings along."""
    html = mail.get_body(("html",))
    assert html is not None
    text = str(html.get_content())
    for part in mail.walk():
        if part.get_content_type() == "image/png":
            data = base64.b64encode(part.get_payload(decode=True)).decode()  # type: ignore[arg-type]
            text = text.replace(f"cid:{part['Content-ID'].strip('<>')}", f"data:image/png;base64,{data}")
    head = tag("p", tag("b", str(mail["Subject"])), tag("br"), f"From {mail['From']}")
    return tag(
        "div",
        head,
        Html(f"<hr>{text.partition('<body')[2].partition('>')[2].partition('</body')[0]}"),
        class_="mail",
    )


async def _played(folder: Path, renderer: str) -> dict[str, bytes]:
    port = pick_port(None)
    inbox = InboxSandbox(clock=lambda: 0, sleep=asyncio.sleep)
    await inbox.start()
    try:
        async with serving(Relay(), None) as relay:
            more = {
                "email": {
                    "host": "127.0.0.1", "port": relay.port, "security": "none",
                    "sender": "watch@va.example", "to": "call-center@va.example",
                },
                "teams": {"url": inbox.hook},
                "chart_key": _KEY,
            }  # fmt: skip
            async with _Told(_policy(port), port, folder, more) as deployment:
                console = await _in_the_outage(deployment, folder)
                await _over(deployment, relay, inbox)
                wanted = ("Declared:", "Resolved:")
                mails = [one for one in relay.mails if str(one["Subject"]).startswith(wanted)]
                bodies = [msgspec.json.decode(one.body) for one in inbox.messages]
                cards = [one["attachments"][0]["content"] for one in bodies]
                shown = pages(deployment.sandbox.slack.messages, mails, [cards[0], cards[-1]], renderer)
                return console | await _photographed(folder, shown)
    finally:
        await inbox.stop()


async def _in_the_outage(deployment: Deployment, folder: Path) -> dict[str, bytes]:
    """The console's pages, eight minutes after the outage has begun."""
    outage = next(one for one in deployment.episodes if one.episode.label != "none")
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while (deployment.evaluated_to() or 0) < outage.begin + 8 * MINUTE:
            await asyncio.sleep(0.2)
    found = {}
    with tempfile.TemporaryDirectory(dir=folder) as profile, chromium(Path(profile)) as browser:
        for name, (path, height) in _CONSOLE.items():
            async with tab(browser, _CONSOLE_WIDTH, height) as page:
                await page.open(f"{deployment.worker.url}{path}")
                await page.value(
                    "document.querySelector('main h1') && document.readyState === 'complete' ? 1 : null"
                )
                found[f"console/{name}"] = await page.picture(format="webp")
    return found


async def _over(deployment: Deployment, relay: Relay, inbox: InboxSandbox) -> None:
    """Wait until the end of the outage has been told by mail and in Teams."""
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while not any(str(one["Subject"]).startswith("Resolved:") for one in relay.mails) or (
            b"was SEV" not in inbox.messages[-1].body
        ):
            if deployment.worker.failed.done():
                raise deployment.worker.failed.result()
            await asyncio.sleep(0.5)


async def _photographed(folder: Path, shown: dict[str, str]) -> dict[str, bytes]:
    found = {}
    profile = folder / "chromium"
    profile.mkdir()
    with chromium(profile) as browser:
        for name, html in shown.items():
            file = folder / f"{name}.html"
            file.write_text(html, "utf-8")
            async with tab(browser, _WIDTH, 600) as page:
                await page.open(file.as_uri())
                loaded = (
                    "document.readyState === 'complete' && [...document.images].every((i) => i.naturalWidth)"
                )
                await page.value(f"({loaded}) ? 1 : null")
                height = await page.value("document.body.scrollHeight")
                await page.resize(_WIDTH, int(height))
                found[f"receivers/{name}"] = await page.picture(format="webp")
    return found


def main(arguments: list[str] | None = None) -> int:
    """Play the demo's outage and write the pictures; the status is 1 if one is too large for the documents."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("renderer", type=Path, help="adaptivecards.min.js of the npm package adaptivecards")
    given = parser.parse_args(arguments)
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"
    with tempfile.TemporaryDirectory(prefix="watchofficer-pictures-") as folder:
        made = asyncio.run(_played(Path(folder), given.renderer.read_text("utf-8")))
    for name, picture in made.items():
        (FOLDER / f"{name}.webp").write_bytes(picture)
        print(f"{name}: {len(picture):,} bytes")
    return int(any(len(picture) > _MOST_BYTES for picture in made.values()))


if __name__ == "__main__":
    sys.exit(main())
