"""Which examples does the help of each command show? Each is a line that runs as it stands, but for its names."""

from __future__ import annotations

__all__ = ["EXAMPLES"]

#: Path of a command -> examples, as a user types them.
EXAMPLES = {
    "replay": """
watchofficer replay events.jsonl.gz
watchofficer replay --sort newest-first.jsonl --format jsonl
watchofficer replay events.jsonl --policy new.yaml --compare old.yaml
watchofficer replay november.jsonl.zst --workers 2 --write-facts november.facts
watchofficer replay --facts november.facts --policy new.yaml
watchofficer replay topic:login-events@2026-11-23T15:00:00Z..2026-11-23T16:00:00Z
""",
    "simulate": """
watchofficer simulate --scenario list
watchofficer simulate --scenario ssoe_outage --out events.jsonl --truth truth.jsonl
""",
    "produce": """
watchofficer produce events.jsonl --rebase now --speed 1
""",
    "run": """
watchofficer run
watchofficer run --role ingest --port 6067
watchofficer run --role guard
watchofficer run --policy my-policy.yaml --policy-force
""",
    "demo": """
watchofficer demo
watchofficer demo --scenario idme_outage --speed 120 --once
watchofficer demo --events production.log --mapping vets-api-sis
""",
    "exercise": """
watchofficer exercise ssoe_outage
watchofficer exercise idme_outage --live
""",
    "lint": """
watchofficer lint my-policy.yaml
watchofficer lint --rules
""",
    "test": """
watchofficer test deploy/policy/outages.yaml
watchofficer test my-tests.yaml --policy my-policy.yaml --only provider
""",
    "explain": """
watchofficer explain prod-3
watchofficer explain prod-1 events.jsonl --policy my-policy.yaml
""",
    "ack": "watchofficer ack prod-3",
    "unack": "watchofficer unack prod-3 --text 'My shift is over.'",
    "note": "watchofficer note prod-3 --text 'Called IAM.' --at 2026-11-23T15:20:00Z",
    "update": "watchofficer update prod-3 --text 'Please use SiS meanwhile.' --public",
    "assign": "watchofficer assign prod-3 technical_lead 'Grace Hopper'",
    "stage": "watchofficer stage prod-3 triage",
    "eta": "watchofficer eta prod-3 45m --text 'IAM restarts ISAM.'",
    "follow-up": """
watchofficer follow-up prod-3 --text 'Raise the limit.' --link https://tracker.example.org/1
watchofficer follow-up prod-3 --item 1
""",
    "check": "watchofficer check prod-3 statement",
    "post-mortem": "watchofficer post-mortem prod-3 https://wiki.example.org/prod-3",
    "complete": "watchofficer complete prod-3",
    "resolve": "watchofficer resolve prod-3 --text 'IAM has rolled back.'",
    "declare": """
watchofficer declare prod-3
watchofficer declare prod/ssoe --text 'Nobody gets in.'
watchofficer declare 'prod/*/logingov' --states AR,TX
""",
    "report-failure": "watchofficer report-failure prod/sis --text 'Support gets many calls.'",
    "deploy": """
watchofficer deploy vets-api v2026.11.23
watchofficer deploy vets-website 8f3c2d1 --scope prod/sis --at 2026-11-23T15:02:00Z --id "$GITHUB_RUN_ID"
""",
    "retire": "watchofficer retire csp mhv --text 'It has ended.'",
    "mute add": "watchofficer mute add prod/sis/clear 2h --text 'A test of the provider.'",
    "mute list": "watchofficer mute list",
    "mute end": "watchofficer mute end prod-c3",
    "maintenance add": """
watchofficer maintenance add prod/ssoe 2026-12-06T02:00:00-05:00 2026-12-06T04:00:00-05:00 --text 'ISAM patching'
""",
    "maintenance list": "watchofficer maintenance list",
    "maintenance end": "watchofficer maintenance end prod-c4",
    "correction add": """
watchofficer correction add prod/ssoe 2026-11-20T02:00:00Z 2026-11-20T02:30:00Z --text 'A test of ours.'
""",
    "correction list": "watchofficer correction list",
    "correction end": "watchofficer correction end prod-c5",
    "health": "watchofficer health",
    "doctor": """
watchofficer doctor --url http://127.0.0.1:6066
watchofficer doctor --acls --role sinks --principal watch
""",
    "dead-letters list": "watchofficer dead-letters list --json",
    "dead-letters retry": "watchofficer dead-letters retry prod-3:0:opened:slack",
    "dead-letters drop": "watchofficer dead-letters drop prod-3:0:opened:slack",
}
