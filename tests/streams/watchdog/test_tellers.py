"""Do PagerDuty and Slack take what the watchdog says, and does no answer hold it up?"""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

from streams.runtime.progress import Why
from streams.settings.policy_file import read_policy
from streams.settings.settings import Settings, read_settings
from streams.watchdog.blindness import Statement
from streams.watchdog.tellers import request, tellers

KEY, TOKEN = "k" * 32, "xoxb-secret"
SAID = Statement(Why.WRITE, 10.0, 1_795_435_200_000, "Topic sli refuses records.", "Grant WRITE on it.")


def settings(**more: str) -> Settings:
    environ = {
        "WATCHOFFICER_PAGERDUTY__ROUTING_KEY": KEY,
        "WATCHOFFICER_SLACK__TOKEN": TOKEN,
        "WATCHOFFICER_SLACK__CHANNEL": "C1",
    }
    return read_settings(environ | more)


def asked(answer: httpx.Response, seen: list[httpx.Request]) -> httpx.Client:
    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return answer

    return httpx.Client(transport=httpx.MockTransport(handle))


def test_pagerduty_opens_and_resolves_one_alert_for_each_kind() -> None:
    seen: list[httpx.Request] = []
    make = request(asked(httpx.Response(202, json={"status": "success"}), seen))
    pagerduty, _ = tellers(settings(), make, prefix="watchofficer", worker="worker 1")
    assert pagerduty.blind(SAID) is None
    assert pagerduty.seeing("write", SAID.at) is None
    assert pagerduty.seeing("", 0) is None
    opened, resolved, old = (json.loads(one.content) for one in seen)
    assert {str(one.url) for one in seen} == {"https://events.pagerduty.com/v2/enqueue"}
    assert (opened["event_action"], opened["dedup_key"]) == ("trigger", "watchofficer:blind:write")
    assert opened["routing_key"] == KEY
    assert "Topic sli refuses records. Grant WRITE on it." in opened["payload"]["summary"]
    assert (resolved["event_action"], resolved["dedup_key"]) == ("resolve", "watchofficer:blind:write")
    assert old["dedup_key"] == "watchofficer:blind"


def test_both_say_where_the_runbook_is() -> None:
    seen: list[httpx.Request] = []
    make = request(asked(httpx.Response(202, json={"ok": True}), seen))
    policy = read_policy("notify: {console_url: https://watch.example}", "p.yaml")
    for teller in tellers(settings(), make, prefix="p", worker="w", runbook=policy.runbook_of_blindness):
        teller.blind(SAID)
        teller.blind(SAID._replace(why=Why.REJECTED))
    texts = [one.content.decode() for one in seen]
    assert ["https://watch.example/runbooks/blind" in text for text in texts] == [True, False] * 2
    assert ["https://watch.example/runbooks/rejected" in text for text in texts] == [False, True] * 2


def test_slack_hears_of_the_beginning_and_of_the_end() -> None:
    seen: list[httpx.Request] = []
    make = request(asked(httpx.Response(200, json={"ok": True, "ts": "1.2"}), seen))
    _, slack = tellers(settings(), make, prefix="watchofficer", worker="worker 1")
    assert slack.blind(SAID) is None
    assert slack.seeing("write", SAID.at) is None
    texts = [json.loads(one.content)["text"] for one in seen]
    assert {str(one.url) for one in seen} == {"https://slack.com/api/chat.postMessage"}
    assert seen[0].headers["Authorization"] == f"Bearer {TOKEN}"
    assert "The watch is blind" in texts[0]
    assert "Grant WRITE on it." in texts[0]
    assert "sees again" in texts[1]


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, text="<html>a proxy</html>"),
        httpx.Response(500, text=f"your key {KEY} and token {TOKEN}"),
        httpx.Response(200, json={"ok": False, "error": f"invalid_auth {TOKEN} {KEY}"}),
        httpx.Response(200, json=["ok"]),
    ],
)
def test_only_the_answer_of_the_receiver_counts_and_no_secret_is_told(answer: httpx.Response) -> None:
    make = request(asked(answer, []))
    for teller, secret in zip(tellers(settings(), make, prefix="p", worker="w"), (KEY, TOKEN), strict=True):
        why = teller.blind(SAID)
        assert why is not None
        assert why.startswith(f"HTTP {answer.status_code}")
        assert secret not in why


def test_a_receiver_that_is_off_is_not_told() -> None:
    make = request(asked(httpx.Response(202), []))
    assert tellers(read_settings({}), make, prefix="p", worker="w") == []


def test_the_longest_prefix_leaves_room_for_the_longest_kind() -> None:
    longest = max(len(why.value) for why in Why)
    assert len("p" * 48 + ":blind:") + longest <= 100  # what PagerDuty and Datadog take as a key


def test_an_answer_that_trickles_or_never_ends_is_cut_off() -> None:
    now = [0.0]

    class Trickle(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            while True:
                now[0] += 4.0
                yield b"x"

    def handle(asked: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=Trickle())

    make = request(httpx.Client(transport=httpx.MockTransport(handle)), lambda: now[0], deadline=10.0)
    status, answer = make("GET", "https://beat.test/")
    assert (status, len(answer)) == (200, 3)

    class Flood(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            while True:
                yield b"x" * 100_000

    def flood(asked: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=Flood())

    make = request(httpx.Client(transport=httpx.MockTransport(flood)), lambda: 0.0)
    assert len(make("GET", "https://beat.test/")[1]) == 8 << 10


@pytest.mark.parametrize("error", [httpx.ConnectError("k"), httpx.ReadTimeout("k"), OSError("k")])
def test_no_answer_is_a_sentence_and_not_an_exception(error: Exception) -> None:
    def handle(asked: httpx.Request) -> httpx.Response:
        raise error

    make = request(httpx.Client(transport=httpx.MockTransport(handle)))
    status, answer = make("GET", "https://beat.test/secret")
    assert status == 0
    assert answer.startswith(b"no answer")
    assert b"secret" not in answer
