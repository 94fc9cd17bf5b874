"""The pages that are photographed show what was sent, and nothing in it is script."""

from __future__ import annotations

from sinks.chart.outage import draw
from sinks.receivers.email.wording import render
from sinks.receivers.teams import wording as teams
from sinks.sandbox.slack import Message
from tests.sinks.looks.pictures import pages
from tests.sinks.samples import NAMES, OPENED, command, incident


def test_each_page_shows_what_came() -> None:
    about = incident(sentence="</script><script>alert(1)</script>")
    picture = draw("x", (), until=OPENED)
    mail = render(
        command("email", "open", incident=about),
        sender="w@va.example",
        to=("a@va.example",),
        now=OPENED,
        picture=picture,
    )
    card = teams.render(command("teams", "open", incident=about), NAMES)["attachments"][0]["content"]
    notice, root = (
        Message(ts=f"{n}", channel="C", at=OPENED, text=text, blocks=[], thread_ts=None)
        for n, text in enumerate(("a notice", "\U0001f534 it fails"))
    )
    root.metadata = {"event_payload": {}}
    shown = pages([notice, root], [mail, mail], [card], "/* the renderer </script */")
    assert "a notice" not in shown["slack"]
    assert 'class="light"' in shown["slack"]
    assert shown["email"].count('<img src="data:image/png;base64,') == 2
    assert shown["email"].count("<script") == 0
    assert shown["teams"].count("</script>") == 2
    assert "alert(1)" in shown["teams"]
