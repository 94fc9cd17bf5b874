"""Which settings, which differ between deployments, do the environment variables (``WATCHOFFICER_...``) hold?

Only ``read_settings`` reads environment variables into a ``Settings``; a ``Settings`` that is constructed directly
ignores them, so that a demonstration cannot use the credentials of its user. A secret is a ``SecretStr`` from the
moment it is read, and no message, repr or dump shows its value.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from detectors.errors import WatchofficerError
from sinks.configuration import HeaderSecret, Port, SecretUrl, UserPath, expanded, is_secret
from sinks.receivers.registry import Receivers
from streams.settings.api_tokens import ApiToken, ApiTokens, api_tokens
from streams.settings.given import PREFIX, secret_in, slips_in_names, text_of, told_of_secret
from streams.settings.http_tls import HttpTls
from streams.settings.kafka_security import BrokerSecurity, UnusableCertificate
from streams.settings.schema_registry import SchemaRegistry
from streams.settings.values import HashKey, host_and_port

if TYPE_CHECKING:
    from faust.auth import Credentials

__all__ = [
    "PREFIX",
    "Settings",
    "SettingsError",
    "SettingsProblem",
    "Variable",
    "read_settings",
    "variables",
]


@dataclass(frozen=True)
class SettingsProblem:
    """One environment variable that cannot be used, and what to do about it."""

    variable: str
    message: str

    def __str__(self) -> str:
        return f"{self.variable}: {self.message}"


class SettingsError(WatchofficerError, ValueError):
    """The settings cannot be used. The error carries every problem that was found."""

    def __init__(self, problems: tuple[SettingsProblem, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


def _parts(value: object, must: str) -> list[str]:
    """Return what a value lists with commas, one part at least.

    Raises:
        ValueError: it lists nothing; the message says what it must be.
    """
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()] or None
    if not isinstance(value, list | tuple) or not all(isinstance(part, str) for part in value):
        raise ValueError(must)
    return list(value)


def _brokers(value: object) -> object:
    must = "must be brokers as host:port, several with commas: kafka-1:9092,kafka-2:9092"
    return tuple(host_and_port(part) for part in _parts(value, must))


def _names(value: object) -> object:
    must = "must be login-events, or mappings as NAME or FILE[=TOPIC], several with commas"
    return tuple(_parts(value, must))


def _topic_prefix(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{0,200}", value, re.ASCII):
        raise ValueError("must be of letters, digits, '.', '_' and '-', which Kafka allows in a topic's name")
    return value


def _bind(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+", value, re.ASCII):
        raise ValueError("must be an address to listen on, such as 127.0.0.1 or 0.0.0.0")
    return value


def _origins(value: object) -> object:
    parts = _parts(value, _ORIGINS)
    if not all(
        part == "*" or re.fullmatch(r"https?://[a-z0-9.-]+(:\d{1,5})?", part, re.ASCII) for part in parts
    ):
        raise ValueError(_ORIGINS)
    return tuple(parts)


_ORIGINS = "must be origins of pages, in lower case and without a path: https://www.va.gov,https://staging.va.gov; or *"


class Settings(Receivers, BaseSettings):
    """All settings in force; those of the receivers stand in ``sinks.receivers.registry``.

    Attributes:
        broker: ``host:port`` of the bootstrap servers; empty if none is set.
        client_rack: where the process runs, as brokers name it; None for anywhere.
        topic_prefix: the prefix of the names of all topics.
        policy: the file of the policy; None for the shipped one.
        inputs: what is read: ``login-events``, or mappings with their topics; login events alone by default.
        api_token: a token of the HTTP interface that several people share.
        api_tokens: tokens with their names and roles (``settings.api_tokens``).
        chart_key, hash_key: keys of 32 bytes or more, for addresses of charts, and for hashes of raw ids in mappings.
        schema_registry: where the schemas of records in Avro are.
        banner_origins: of pages that may read the state of the banners in a browser; ``*`` for any.
        bind, port: address and port on which HTTP is served.
        http_tls: the certificate by which it is served.
        heartbeat_url: called each minute while all is well. Whoever knows it can keep the alarm silent: a secret.
        doubts: a sentence for each variable that looks like a setting and is none, and each secret that looks odd.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
    )

    broker: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_brokers)] = ()
    broker_security: BrokerSecurity = BrokerSecurity()
    client_rack: Annotated[str, Field(min_length=1, max_length=249)] | None = None
    topic_prefix: Annotated[str, AfterValidator(_topic_prefix)] = ""
    policy: UserPath | None = None
    inputs: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names)] = ()
    api_token: HeaderSecret | None = None
    api_tokens: ApiTokens | None = None
    chart_key: HashKey | None = None
    hash_key: HashKey | None = None
    schema_registry: SchemaRegistry = SchemaRegistry()
    banner_origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_origins)] = ()
    bind: Annotated[str, AfterValidator(_bind)] = "127.0.0.1"
    port: Port = 6066
    http_tls: HttpTls = HttpTls()
    log_format: Literal["console", "json"] = "console"
    heartbeat_url: SecretUrl | None = None
    doubts: tuple[str, ...] = ()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Use only the arguments of the constructor; ``read_settings`` passes the environment."""
        return (init_settings,)

    def sinks(self) -> frozenset[str]:
        """The names of the receivers that have what they need."""
        return frozenset(name for name, receiver in self.receivers() if receiver.on)

    def sinks_off(self) -> tuple[str, ...]:
        """A sentence for each receiver that is off or incomplete, with the variables to set."""
        sentences = []
        for name, receiver in self.receivers():
            if ":" in name:
                continue  # the one without a name of its own says it
            if missing := receiver.missing(receiver.needed):
                sentences.append(f"{receiver.title} is off: {_not_set(name, missing)}")
                continue
            sentences += [
                f"{clause}: {_not_set(name, missing)}"
                for clause, extra in receiver.gaps()
                if (missing := receiver.missing(extra))
            ]
        return tuple(sentences)

    def secrets(self) -> tuple[str, ...]:
        """Every secret that is set, as plain text, only for masking secrets in logs."""
        named = (one for name, receiver in self.receivers() if ":" in name for one in _secrets_in(receiver))
        texts = {secret.get_secret_value() for secret in (*_secrets_in(self), *named)}
        texts |= {token.secret.get_secret_value() for token in self.tokens()}
        return tuple(sorted(texts.union(*(text.replace(",", " ").split() for text in texts))))

    def tokens(self) -> tuple[ApiToken, ...]:
        """Who may do what over HTTP."""
        named = () if self.api_tokens is None else api_tokens(self.api_tokens.get_secret_value())
        if self.api_token is None:
            return named
        return (ApiToken("operator", "respond", self.api_token, shared=True), *named)

    def kafka_client_kwargs(self) -> dict[str, Any]:
        """Return arguments with which aiokafka's clients reach the brokers: ``bootstrap_servers``, ...

        Raises:
            SettingsError: no broker is set, or a certificate cannot be used.
        """
        with _named("broker_security"):
            security = self.broker_security.aiokafka_kwargs()
        return {"bootstrap_servers": self._require_broker(), **security}

    def http_context(self) -> ssl.SSLContext | None:
        """Return the TLS context of HTTP; None where it is served in the clear.

        Raises:
            SettingsError: the certificate cannot be used.
        """
        with _named("http_tls"):
            return self.http_tls.context()

    def faust_broker_urls(self) -> list[str]:
        """Return the URLs of the brokers for Faust's ``broker``.

        Raises:
            SettingsError: no broker is set.
        """
        return [f"kafka://{server}" for server in self._require_broker()]

    def faust_broker_credentials(self) -> Credentials | None:
        """Return the value for Faust's ``broker_credentials``; None for PLAINTEXT.

        Raises:
            SettingsError: a certificate cannot be used.
        """
        with _named("broker_security"):
            return self.broker_security.faust_credentials()

    def _require_broker(self) -> list[str]:
        if not self.broker:
            raise SettingsError(
                (SettingsProblem(variable_name("broker"), "must be set, for instance to kafka-1:9092"),)
            )
        return list(self.broker)


@dataclass(frozen=True)
class Variable:
    """An environment variable that is a setting.

    Attributes:
        name: the name, such as ``WATCHOFFICER_PAGERDUTY__ROUTING_KEY``.
        path: fields of ``Settings`` down to the value.
        secret: whether ``<name>_FILE`` may name a file that holds the value instead.
    """

    name: str
    path: tuple[str, ...]
    secret: bool


def variable_name(*path: str) -> str:
    """Return the name of the environment variable for a field of ``Settings``."""
    return PREFIX + "__".join(path).upper()


def variables() -> tuple[Variable, ...]:
    """Return every environment variable that is a setting, without the ``_FILE`` variables of secrets."""
    return tuple(_variables(Settings, ()))


def _variables(model: type[BaseModel], above: tuple[str, ...]) -> Iterator[Variable]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _variables(field.annotation, (*above, name))
        elif (*above, name) != ("doubts",):
            yield Variable(variable_name(*above, name), (*above, name), is_secret(field.annotation))


def read_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings from environment variables. An empty variable counts as not set, and so does one of blanks.

    Raises:
        SettingsError: variables cannot be used; the error carries every problem.
    """
    known = variables()
    given = {n: v for n, v in environ.items() if not n.startswith(f"{PREFIX}EXERCISE_") and v.strip()}
    values: dict[str, str | SecretStr] = {}
    files: dict[str, Path] = {}
    problems: list[SettingsProblem] = []
    secrets = [variable.name for variable in known if variable.secret]
    doubts = list(slips_in_names(given, [variable.name for variable in known], secrets))
    for variable in known:
        file_variable = f"{variable.name}_FILE"
        blamed = file_variable if variable.secret and file_variable in given else variable.name
        try:
            if blamed == file_variable:
                if variable.name in given:
                    raise ValueError(f"must not be set beside {variable.name}: which one counts?")
                files[variable.name] = expanded(Path(text_of(given[file_variable], secret=False)))
                text = secret_in(files[variable.name])
            elif variable.name in given:
                text = text_of(given[variable.name], secret=variable.secret)
            else:
                continue
        except ValueError as error:
            problems.append(SettingsProblem(blamed, str(error)))
            continue
        values[variable.name] = SecretStr(text) if variable.secret else text
        doubts += told_of_secret(blamed, text) if variable.secret else ()
    source = EnvSettingsSource(Settings)
    # pydantic's source receives only settings, with secrets wrapped, because it may quote an invalid value.
    source.env_vars = {name.lower(): value for name, value in values.items()}  # type: ignore[misc]
    try:
        settings = Settings(**source(), doubts=tuple(sorted(doubts)))
    except ValidationError as error:
        told = {problem.variable for problem in problems}
        found = (_of_file(problem, files) for problem in _problems_of(error))
        problems += [problem for problem in found if problem.variable not in told]
    if problems:
        raise SettingsError(tuple(sorted(problems, key=lambda problem: problem.variable))) from None
    return settings


def _of_file(problem: SettingsProblem, files: Mapping[str, Path]) -> SettingsProblem:
    """Return the problem; if the value comes from a file, as a problem of the variable that names the file."""
    if problem.variable not in files:
        return problem
    file = files[problem.variable]
    return SettingsProblem(f"{problem.variable}_FILE", f"names {file}, whose content {problem.message}")


def _not_set(group: str, names: list[str]) -> str:
    named = " and ".join(variable_name(group, name) for name in names)
    return f"{named} {'is' if len(names) == 1 else 'are'} not set"


def _problems_of(error: ValidationError) -> Iterator[SettingsProblem]:
    for entry in error.errors(include_url=False, include_input=False):
        context = entry.get("ctx", {})
        message = {
            "value_error": str(context.get("error")),
            "fault": str(context.get("text")),
            "literal_error": f"must be {context.get('expected')}",
            "string_too_long": f"must have at most {context.get('max_length')} characters",
        }.get(entry["type"], entry["msg"])
        yield SettingsProblem(variable_name(*(str(part) for part in entry["loc"])), message)


@contextmanager
def _named(group: str) -> Iterator[None]:
    """Turn ``UnusableCertificate`` into a ``SettingsError`` that names the environment variable of the file."""
    try:
        yield
    except UnusableCertificate as error:
        raise SettingsError((SettingsProblem(variable_name(group, error.field), error.message),)) from None


def _secrets_in(model: BaseModel) -> Iterator[SecretStr]:
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, SecretStr):
            yield value
        elif isinstance(value, BaseModel):
            yield from _secrets_in(value)
