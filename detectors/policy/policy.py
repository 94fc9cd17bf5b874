"""What is a policy: which objectives, error codes, thresholds and receivers does it set?

The values that ship stand in ``default_policy.yaml`` and nowhere else: the models have no defaults of their own. What a
policy leaves out is taken from the shipped values, which are handed in, before anything is validated.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Annotated, Any, Self

from pydantic import (
    Field,
    RootModel,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from detectors.incidents import Common
from detectors.instants import HOUR, MINUTE, format_duration
from detectors.policy.classes import Classes, ClassTest
from detectors.policy.detector_sections import Attribution, BurnRate, Latency, Outage, Silence
from detectors.policy.errors import problems_of
from detectors.policy.journey_sections import Funnel, Surge
from detectors.policy.references import reference_faults
from detectors.policy.routes import Route
from detectors.policy.runbooks import RUNBOOKS, applicable, is_url, path_of_runbook
from detectors.policy.sections import (
    Banner,
    BusinessHours,
    Code,
    FailOver,
    HolidayCalendar,
    LifecyclePolicy,
    MaintenanceWindow,
    Notify,
    Objective,
    Priority,
    SeverityPolicy,
    TimeZone,
)
from detectors.policy.source import (
    Path,
    PolicyError,
    PolicyProblem,
    merge,
    read_source,
)
from detectors.policy.types import (
    AxisValue,
    Count,
    Duration,
    ErrorCode,
    Fault,
    Runbook,
    RunbookKey,
    Section,
    faulty,
    repeated,
    within,
)
from detectors.policy.value_sections import Axes, Breakdowns, ClassRule, FieldName, Outcomes, Steps, Value

__all__ = ["Policy", "PolicyError", "PolicyProblem", "parse_policy"]

#: The windows that SLIs are always published for, whatever a policy adds.
_SLI_WINDOWS = (5 * MINUTE, 15 * MINUTE, HOUR)
#: The windows of evidence that are longer than eight steps, ms.
_EVIDENCE_WINDOWS = (15_000, 30_000, *(minutes * MINUTE for minutes in (1, 2, 5, 10, 15, 30, 60)))


class Codes(RootModel[Mapping[ErrorCode, Code]]):
    """The error codes that are known, with what they mean and whether they count."""

    model_config = Section.model_config | {"extra": None}

    @cached_property
    def excluded(self) -> frozenset[str]:
        """Codes of failures that do not count against availability."""
        return frozenset(code for code, said in self.root.items() if said.counts == "excluded")

    @cached_property
    def names(self) -> Mapping[str, str]:
        """Code -> what it means."""
        return {code: said.means for code, said in self.root.items()}


class Policy(Section):
    """A whole policy. Durations and windows are ms, shares 0-1. ``parse_policy`` makes one.

    Attributes:
        aliases: by field, ``env`` or an axis: another spelling, and the value that it stands for.
        runbooks: what people read in an incident: by scope, value, service, error code or cause, or ``*`` for all else.
    """

    step: Annotated[Duration, within("100ms", "1m")]
    watermark_delay: Annotated[Duration, within("0s", "10m")]
    retention: Annotated[Duration, within("1h", "1d")]
    dedup_ids: Annotated[Count, Field(le=50_000_000)]
    dedup_horizon: Annotated[Duration, within("0s", "1h")]
    exact_people: Annotated[Count, Field(ge=1_000, le=50_000_000)]
    idle_after: Annotated[Duration, within("100ms", "5m")]
    skew_after: Annotated[Duration, within("5s", "1h")]
    blind_after: Annotated[Duration, within("5s", "1h")]
    future_limit: Annotated[Duration, within("0s", "1h")]
    past_limit: Annotated[Duration, within("1h", "365d")]
    sli_every: Annotated[Duration, within("1s", "5m")]
    sli_windows: Annotated[tuple[Annotated[Duration, within("1s", "1h")], ...], Field(min_length=1)]
    time_zone: TimeZone
    holidays: HolidayCalendar
    business_hours: BusinessHours
    axes: Axes
    breakdowns: Breakdowns
    max_values: Annotated[Count, Field(ge=1, le=1_000)]
    max_scopes: Annotated[Count, Field(ge=1, le=10_000)]
    max_envs: Annotated[Count, Field(ge=0, le=1_000)]
    envs: Annotated[tuple[AxisValue, ...], Field(min_length=1, max_length=64)]
    values: Mapping[FieldName, Mapping[AxisValue, Value]]
    aliases: Mapping[FieldName, Mapping[AxisValue, AxisValue]]
    steps: Steps
    outcomes: Outcomes
    objectives: Mapping[AxisValue, Objective]
    codes: Codes
    classes: tuple[ClassRule, ...]
    severity: SeverityPolicy
    priority: Priority
    lifecycle: LifecyclePolicy
    fail_over: FailOver
    banner: Banner
    notify: Notify
    routes: Annotated[tuple[Route, ...], Field(max_length=64)]
    maintenance: tuple[MaintenanceWindow, ...]
    runbooks: Mapping[RunbookKey, Runbook]
    outage: Outage
    burn_rate: BurnRate
    silence: Silence
    latency: Latency
    funnel: Funnel
    surge: Surge
    attribution: Attribution

    def faults(self) -> Iterator[Fault]:
        yield from reference_faults(self)
        for code in self.surge.codes:
            if code not in self.codes.root:
                yield Fault(
                    ("surge", "codes", code), "unknown key: codes does not list this code", "unknown-name"
                )

    @model_validator(mode="after")
    def _sections_agree(self, info: ValidationInfo) -> Self:
        unsure: frozenset[str] = (info.context or {}).get("unsure", frozenset())
        found = [fault for fault in _step_faults(self) if not unsure & {"step", fault[0][0]}]
        found += [fault for fault in repeated("sli_windows", self.sli_windows) if "sli_windows" not in unsure]
        if found:
            raise faulty("policy", found)
        return self

    def is_bad(self, code: str) -> bool:
        """Whether a failure with this code counts against availability; "" stands for no code."""
        return code not in self.codes.excluded

    @cached_property
    def event_classes(self) -> Classes:
        """What gives events their class: the codes, each a rule of its own, and the rules of ``classes``."""
        codes = (ClassTest(said.counts, codes=frozenset({code})) for code, said in self.codes.root.items())
        rules = (rule.test for rule in self.classes)
        return Classes([*codes, *rules], self.outcomes.kinds, self.steps.slis)

    @cached_property
    def recorded_breakdowns(self) -> tuple[str, ...]:
        """The breakdowns that facts record apart: those that are not part of every fact."""
        return tuple(field for field in self.breakdowns if field not in ("error_code", "error_class"))

    def values_of(self, axis: str) -> tuple[str, ...]:
        """The values of an axis that the policy lists, in the order of the policy."""
        return tuple(self.values.get(axis, ()))

    def name_of(self, axis: str, value: str) -> str:
        """What people call a value of an axis; the value itself where the policy has no name for it."""
        listed = self.values.get(axis, {}).get(value)
        return listed.name if listed is not None and listed.name is not None else value

    def is_retired(self, axis: str, value: str, at: int) -> bool:
        """Whether nobody is expected to use a value of an axis any more at ``at`` (ms since the epoch)."""
        listed = self.values.get(axis, {}).get(value)
        return listed is not None and listed.retired is not None and listed.retired <= at

    def canonical_value(self, field: str, value: str) -> str:
        """The value that a spelling of it stands for; the value itself where it is no alias.

        Args:
            field: an axis, or ``env``.
            value: as the event has it, normalised.
        """
        return self.aliases.get(field, {}).get(value, value)

    def windows(self) -> tuple[int, ...]:
        """Every window that panes must answer for, ms, ascending: at least 5m, 15m and 1h, at most 1h."""
        return self._windows

    @cached_property
    def _windows(self) -> tuple[int, ...]:
        return tuple(
            sorted(
                {window for _, window in _windows_of(self) if window <= HOUR}.union(
                    _SLI_WINDOWS, self.evidence_windows
                )
            )
        )

    @cached_property
    def evidence_windows(self) -> tuple[int, ...]:
        """The windows over which evidence of an outage adds up, ms, ascending: from two steps to an hour.

        Each is about twice as long as the one before, so that one of them begins soon before any outage.
        """
        short = [self.step * steps for steps in (2, 3, 5, 8)]
        return (*short, *(w for w in _EVIDENCE_WINDOWS if w > short[-1] and not w % self.step))

    @cached_property
    def thresholds(self) -> tuple[float, ...]:
        """The latency thresholds of all methods, ms, ascending, each once."""
        return tuple(sorted({promise.latency_threshold_ms for promise in self.objectives.values()}))

    @cached_property
    def hash(self) -> str:
        """Names the content: equal for equal policies, however they were written."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()[:12]

    def canonical(self) -> str:
        """The whole policy as JSON with sorted keys. It is itself a policy that ``parse_policy`` reads."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))

    def runbooks_of(
        self, scope: str, causes: Iterable[str] = (), common: Iterable[Common] = ()
    ) -> tuple[str, ...]:
        """The runbooks that apply to an incident, each once, the most telling first: names of shipped ones, or URLs.

        Args:
            scope: of the incident.
            causes: names of the detectors that have fired.
            common: what the people who fail have in common.
        """
        found = applicable(self.runbooks, scope, causes, common, self.steps.session)
        return tuple(dict.fromkeys(found))

    def runbook(
        self,
        scope: str,
        causes: Iterable[str] = (),
        common: Iterable[Common] = (),
        *,
        incident: str | None = None,
    ) -> str | None:
        """The address of the first runbook that applies and has one; None where none has.

        A runbook that ships is served by the console, where the policy says where that is; else its address is that of
        the public procedure on the same subject. The other arguments are those of ``runbooks_of``.

        Args:
            incident: id of the incident whose figures the console's runbook shows.
        """
        runbooks = self.runbooks_of(scope, causes, common)
        addresses = (self.runbook_address(runbook, incident) for runbook in runbooks)
        return next((address for address in addresses if address is not None), None)

    def runbook_of_blindness(self, why: str) -> str | None:
        """The address of the runbook for a watch that is blind of a kind; None where there is none."""
        runbook = self.runbooks.get("rejected" if why == "rejected" else "blind")
        return None if runbook is None else self.runbook_address(runbook)

    def runbook_address(self, runbook: str, incident: str | None = None) -> str | None:
        """The address of a runbook that ``runbooks_of`` has named, for an incident (id) if one is given; or None."""
        if is_url(runbook):
            return runbook
        if self.notify.console_url is not None:
            return self.notify.console_url.rstrip("/") + path_of_runbook(runbook, incident)
        return RUNBOOKS[runbook]


def _windows_of(policy: Policy) -> list[tuple[Path, int]]:
    """Every window that a policy names, and where."""
    return [
        *((("sli_windows", i), window) for i, window in enumerate(policy.sli_windows)),
        (("severity", "projection_window"), policy.severity.projection_window),
        (("fail_over", "window"), policy.fail_over.window),
        *((("burn_rate", "rules", i, "long"), rule.long) for i, rule in enumerate(policy.burn_rate.rules)),
        *((("burn_rate", "rules", i, "short"), rule.short) for i, rule in enumerate(policy.burn_rate.rules)),
        *((("silence", "windows", i), window) for i, window in enumerate(policy.silence.windows)),
        *((("latency", "rules", i, "long"), rule.long) for i, rule in enumerate(policy.latency.rules)),
        *((("latency", "rules", i, "short"), rule.short) for i, rule in enumerate(policy.latency.rules)),
        (("surge", "window"), policy.surge.window),
        *(
            (("surge", "user_errors", "windows", i), window)
            for i, window in enumerate(policy.surge.user_errors.windows)
        ),
    ]


def _of_the_funnel(policy: Policy) -> list[tuple[Path, int]]:
    """The windows and delays that starts and returns are counted in, apart from the other counts."""
    return [
        *((("funnel", "windows", i), window) for i, window in enumerate(policy.funnel.windows)),
        *((("funnel", "delays", i), delay) for i, delay in enumerate(policy.funnel.delays)),
    ]


def _step_faults(policy: Policy) -> list[Fault]:
    """Panes are ``step`` long and begin at its multiples: what cannot be put together from them."""
    step = policy.step
    if MINUTE % step:
        message = f"must divide a minute, is {format_duration(step)}"
        return [Fault(("step",), message, "window-off-step")]
    return [
        Fault(
            path,
            f"must be a multiple of step ({format_duration(step)}), is {format_duration(window)}",
            "window-off-step",
        )
        for path, window in [
            (("sli_every",), policy.sli_every),
            *_windows_of(policy),
            *_of_the_funnel(policy),
        ]
        if window % step
    ]


def parse_policy(text: str | bytes, name: str, shipped: Mapping[str, Any]) -> Policy:
    """The policy that a YAML document describes.

    Args:
        text: the document.
        name: the file's name, for messages.
        shipped: the values of the shipped policy, which stand where the document has none.

    Raises:
        PolicyError: with everything that is wrong with it.
    """
    source = read_source(text, name)
    if not isinstance(source.values, dict):
        raise PolicyError((source.problem((), "must be a mapping of sections, such as severity: {...}"),))
    values = merge(shipped, source.values)
    found = list(source.problems)
    try:
        policy = Policy.model_validate(values)
    except ValidationError as error:
        found += problems_of(error, Policy, source)
        # Whether the sections agree is asked again of those that are valid on their own.
        unsure = frozenset(str(entry["loc"][0]) for entry in error.errors() if entry["loc"])
        patched = {key: shipped[key] if key in unsure else values[key] for key in shipped}
        try:
            Policy.model_validate(patched, context={"unsure": unsure})
        except ValidationError as disagreement:
            found += problems_of(disagreement, Policy, source)
    if found:
        raise PolicyError(tuple(sorted(dict.fromkeys(found), key=lambda p: (p.line, p.column, p.path))))
    return policy
