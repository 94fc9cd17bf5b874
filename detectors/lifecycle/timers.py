"""Which transitions follow from time alone: delayed pages, reminders, breaches, routine updates?"""

from __future__ import annotations

from detectors.instants import format_duration, format_instant
from detectors.lifecycle import response_times
from detectors.lifecycle.memory import IncidentMemory
from detectors.lifecycle.people.notes import tell_notes
from detectors.lifecycle.recorder import Recorder

__all__ = [
    "check_resolution",
    "check_response_times",
    "notify_thread",
    "page_if_due",
    "tell_notes",
    "uncover",
]


def check_resolution(memory: IncidentMemory, recorder: Recorder) -> None:
    """Page again where an incident fails in this step, ``resolve_grace`` or more after a person has resolved it."""
    incident, since = memory.incident, memory.incident.said_resolved_at
    if since is None or memory.fired_at != recorder.at:
        return
    if recorder.at - since >= recorder.policy.lifecycle.resolve_grace:
        recorder.change(
            memory,
            "still_failing",
            f"It still fails {format_duration(recorder.at - since)} after {incident.said_resolved_by} resolved it."
            f" {incident.sentence}",
            said_resolved_at=None,
            said_resolved_by=None,
        )


def page_if_due(memory: IncidentMemory, recorder: Recorder) -> None:
    """Send the page that was held back for a possible rise of severity, or for maintenance that is over."""
    incident, since = memory.incident, memory.pageable_since
    rose, memory.rose_hidden = memory.rose_hidden, memory.rose_hidden and incident.is_hidden
    if since is None or incident.said_resolved_at is not None:
        return
    if rose and not incident.is_hidden:
        memory.rose_hidden = True  # the recorder asks for it
        recorder.change(memory, "page_due", incident.sentence)
        memory.rose_hidden = False
        return
    if incident.state != "open" or incident.pages:
        return
    waits = recorder.policy.lifecycle.warning_waits if incident.severity == 3 else 0
    if recorder.at - since >= waits:
        recorder.change(memory, "page_due", incident.sentence)


def uncover(memory: IncidentMemory, recorder: Recorder) -> None:
    """Tell everybody of an incident whose mute has ended, and wake somebody if it still fails."""
    incident = memory.incident
    if incident.muted_until is None or recorder.mute_of(incident.scope) is not None:
        return
    until = format_instant(incident.muted_until)
    recorder.change(
        memory,
        "uncovered",
        f"The mute that ended at {until} hid it. {incident.sentence}",
        muted_since=None,
        muted_until=None,
    )
    memory.rose_hidden = False


def check_response_times(memory: IncidentMemory, recorder: Recorder) -> None:
    """Record a reminder at half of a response time and a breach at its end, each once per epoch and response time."""
    incident, at, policy = memory.incident, recorder.at, recorder.policy
    if incident.acknowledged_at is not None:
        return
    target = format_duration(policy.lifecycle.alert_target)
    names = {
        "response": f"the response time of severity {incident.severity}",
        "alert": f"the target of {target} for alerts",
    }
    over: list[str] = []
    half_gone: list[str] = []
    for clock, half, end in response_times.clocks(incident, policy):
        name = names[clock]
        if at >= end and f"{clock} breach" not in memory.rung:
            memory.rung += [f"{clock} reminder", f"{clock} breach"]
            over.append(f"{name} ended at {format_instant(end)}")
        elif half <= at < end and f"{clock} reminder" not in memory.rung:
            memory.rung.append(f"{clock} reminder")
            half_gone.append(f"{name} ends at {format_instant(end)}")
    if half_gone:
        recorder.change(memory, "reminder", f"Not acknowledged yet: {' and '.join(half_gone)}.")
    if over:
        recorder.change(memory, "breach", f"Not acknowledged: {' and '.join(over)}.")


def notify_thread(memory: IncidentMemory, recorder: Recorder) -> None:
    """Notify the thread of a change of scope that had to wait, or send the routine update."""
    incident, at, rules = memory.incident, recorder.at, recorder.policy.lifecycle
    notified_at = memory.scope_notified_at
    if (
        incident.scope != memory.scope_notified
        and notified_at is not None
        and at - notified_at >= rules.scope_change_every
    ):
        recorder.change(
            memory, "scope", f"Since the last message, from {memory.scope_notified} to {incident.scope}."
        )
    elif at - memory.spoke_at >= rules.update_every:
        ratio = incident.counts_now.success_ratio if incident.counts_now else None
        succeed = "" if ratio is None else f", {ratio:.0%} of sign-ins succeed"
        recorder.change(memory, "update", f"{incident.people_an_hour}{succeed}.")
