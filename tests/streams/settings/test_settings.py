"""Settings come from the environment, say by variable what is wrong with it, and keep their secrets."""

from __future__ import annotations

import pickle
import traceback
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from streams.settings.settings import Settings, SettingsError, read_settings, variables

ROUTING_KEY = "R0123456789abcdefghijklmnopqrstu"
SECRETS = {
    "WATCHOFFICER_BROKER_SECURITY__PASSWORD": "kafka-hunter2",
    "WATCHOFFICER_API_TOKEN": "api-hunter2",
    "WATCHOFFICER_API_TOKENS": "ada:respond:named-hunter2-hunter2",
    "WATCHOFFICER_PAGERDUTY__ROUTING_KEY": ROUTING_KEY,
    "WATCHOFFICER_PAGERDUTY__WEBHOOK_SECRET": "webhook-hunter2",
    "WATCHOFFICER_PAGERDUTY__REST_TOKEN": "rest-hunter2",
    "WATCHOFFICER_DATADOG__API_KEY": "dd-api-hunter2",
    "WATCHOFFICER_DATADOG__APP_KEY": "dd-app-hunter2",
    "WATCHOFFICER_SLACK__TOKEN": "xoxb-hunter2",
    "WATCHOFFICER_SLACK__SIGNING_SECRET": "slack-hunter2",
    "WATCHOFFICER_WEBHOOK__URL": "https://hook.test/hunter2",
    "WATCHOFFICER_WEBHOOK__SECRETS": "whsec_aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMg==",
    "WATCHOFFICER_WEBHOOK__PASSWORD": "hook-hunter2",
    "WATCHOFFICER_WEBHOOK__ENDPOINTS": '{"second":{"url":"https://hook.test/second-hunter2"}}',
    "WATCHOFFICER_EMAIL__PASSWORD": "relay-hunter2",
    "WATCHOFFICER_TEAMS__URL": "https://flow.test/hunter2",
    "WATCHOFFICER_TEAMS__CHANNELS": '{"second":"https://flow.test/second-hunter2"}',
    "WATCHOFFICER_STATUSPAGE__API_KEY": "page-hunter2",
    "WATCHOFFICER_ALERTMANAGER__PASSWORD": "am-hunter2",
    "WATCHOFFICER_HEARTBEAT_URL": "https://beat.test/hunter2",
    "WATCHOFFICER_CHART_KEY": "chart-hunter2-of-thirty-two-bytes-or-more",
    "WATCHOFFICER_HASH_KEY": "hash-hunter2-of-thirty-two-bytes-or-more",
    "WATCHOFFICER_SCHEMA_REGISTRY__PASSWORD": "schemas-hunter2",
}
#: Secrets within others.
WITHIN = {"named-hunter2-hunter2", "https://hook.test/second-hunter2", "https://flow.test/second-hunter2"}
WITH_SASL = {
    "WATCHOFFICER_BROKER_SECURITY__PROTOCOL": "SASL_PLAINTEXT",
    "WATCHOFFICER_BROKER_SECURITY__MECHANISM": "PLAIN",
    "WATCHOFFICER_BROKER_SECURITY__USERNAME": "watch",
    "WATCHOFFICER_EMAIL__USER": "watch",
    "WATCHOFFICER_ALERTMANAGER__USER": "watch",
    "WATCHOFFICER_SCHEMA_REGISTRY__URL": "https://schemas.test",
    "WATCHOFFICER_SCHEMA_REGISTRY__USERNAME": "watch",
}


def problems(environ: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        read_settings(environ)
    assert str(caught.value).splitlines() == [str(problem) for problem in caught.value.problems]
    return [str(problem) for problem in caught.value.problems]


def test_an_empty_environment_gives_the_documented_defaults() -> None:
    settings = read_settings({})
    assert settings.broker == ()
    assert (settings.topic_prefix, settings.policy, settings.api_token) == ("", None, None)
    assert (settings.bind, settings.port, settings.log_format) == ("127.0.0.1", 6066, "console")
    assert settings.pagerduty.base_url == "https://events.pagerduty.com"
    assert (settings.datadog.site, settings.datadog.base_url) == ("datadoghq.com", None)
    assert settings.slack.base_url == "https://slack.com/api/"
    assert settings.doubts == ()


def test_the_variables_are_those_of_the_documentation() -> None:
    names = {variable.name.removeprefix("WATCHOFFICER_") for variable in variables()}
    assert names == {
        "BROKER", "CLIENT_RACK", "TOPIC_PREFIX", "POLICY", "INPUTS", "API_TOKEN", "API_TOKENS", "BANNER_ORIGINS",
        "HASH_KEY", "BIND", "PORT", "HTTP_TLS__CERT_FILE", "HTTP_TLS__KEY_FILE", "LOG_FORMAT",
        "CHART_KEY", "HEARTBEAT_URL",
        "PAGERDUTY__ROUTING_KEY", "PAGERDUTY__BASE_URL", "PAGERDUTY__WEBHOOK_SECRET", "PAGERDUTY__REST_TOKEN",
        "PAGERDUTY__REST_FROM", "PAGERDUTY__REST_URL", "PAGERDUTY__SERVICES",
        "DATADOG__API_KEY", "DATADOG__APP_KEY", "DATADOG__SITE", "DATADOG__BASE_URL", "DATADOG__FIELDS",
        "DATADOG__PEOPLE", "SLACK__TOKEN", "SLACK__CHANNEL", "SLACK__BASE_URL", "SLACK__SIGNING_SECRET", "SLACK__TEAM",
        "SLACK__ROLES", "WEBHOOK__URL", "WEBHOOK__SECRETS", "WEBHOOK__TEMPLATE", "WEBHOOK__USER", "WEBHOOK__PASSWORD",
        "WEBHOOK__ENDPOINTS", "EMAIL__HOST", "EMAIL__PORT", "EMAIL__SECURITY", "EMAIL__USER", "EMAIL__PASSWORD",
        "EMAIL__SENDER", "EMAIL__TO", "EMAIL__LISTS", "EMAIL__CA_FILE", "TEAMS__URL", "TEAMS__CHANNELS",
        "STATUSPAGE__API_KEY", "STATUSPAGE__PAGE", "STATUSPAGE__HEADLINE", "STATUSPAGE__COMPONENTS",
        "STATUSPAGE__BASE_URL", "ALERTMANAGER__URLS", "ALERTMANAGER__USER", "ALERTMANAGER__PASSWORD",
        "SCHEMA_REGISTRY__URL", "SCHEMA_REGISTRY__USERNAME", "SCHEMA_REGISTRY__PASSWORD", "SCHEMA_REGISTRY__FOLDER",
    } | {
        f"BROKER_SECURITY__{name}"
        for name in (
            "PROTOCOL", "MECHANISM", "USERNAME", "PASSWORD", "CA_FILE", "CERT_FILE", "KEY_FILE", "TOKEN_FILE",
            "TOKEN_URL", "TOKEN_SCOPE", "AWS_REGION",
        )
    }  # fmt: skip
    assert {variable.name for variable in variables() if variable.secret} == set(SECRETS)


def test_every_variable_reaches_its_field(tmp_path: Path) -> None:
    settings = read_settings(
        {
            **SECRETS,
            **WITH_SASL,
            "WATCHOFFICER_BROKER": "kafka-1:9093, kafka-2 ,kafka://[::1]:9094",
            "WATCHOFFICER_TOPIC_PREFIX": "identity.",
            "WATCHOFFICER_POLICY": str(tmp_path / "policy.yaml"),
            "WATCHOFFICER_BANNER_ORIGINS": "https://www.va.gov, http://127.0.0.1:8000",
            "WATCHOFFICER_BIND": "0.0.0.0",
            "WATCHOFFICER_PORT": "8080",
            "WATCHOFFICER_LOG_FORMAT": "json",
            "WATCHOFFICER_PAGERDUTY__BASE_URL": "https://events.eu.pagerduty.com/",
            "WATCHOFFICER_DATADOG__SITE": "ddog-gov.com",
            "WATCHOFFICER_DATADOG__BASE_URL": "http://127.0.0.1:8126",
            "WATCHOFFICER_SLACK__CHANNEL": "identity-support",
            "WATCHOFFICER_SLACK__BASE_URL": "https://slack-gov.com/api/",
        }
    )
    assert settings.broker == ("kafka-1:9093", "kafka-2:9092", "[::1]:9094")
    assert settings.topic_prefix == "identity."
    assert settings.policy == tmp_path / "policy.yaml"
    assert settings.banner_origins == ("https://www.va.gov", "http://127.0.0.1:8000")
    assert (settings.bind, settings.port, settings.log_format) == ("0.0.0.0", 8080, "json")
    assert settings.pagerduty.base_url == "https://events.eu.pagerduty.com"
    assert (settings.datadog.site, settings.datadog.base_url) == ("ddog-gov.com", "http://127.0.0.1:8126")
    assert settings.slack.channel == "identity-support"
    assert set(settings.secrets()) == set(SECRETS.values()) | WITHIN


def test_variables_of_others_and_empty_ones_count_as_not_set() -> None:
    environ = {"PATH": "/bin", "WATCHOFFICER_PORT": "", "WATCHOFFICER_PAGERDUTY__ROUTING_KEY": ""}
    assert read_settings(environ) == read_settings({})


def test_settings_made_by_hand_see_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHOFFICER_PAGERDUTY__ROUTING_KEY", ROUTING_KEY)
    assert Settings().sinks() == frozenset()
    assert read_settings().sinks() == {"pagerduty"}


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("BROKER", "kafka one", "must be brokers as host:port"),
        ("BROKER", "kafka:port", "must be brokers as host:port"),
        ("BROKER", "kafka:70000", "must be brokers as host:port"),
        ("PORT", "http", "must be a port, 0 to 65535"),
        ("PORT", "65536", "must be a port, 0 to 65535"),
        ("BIND", "0.0.0.0:80/", "must be an address to listen on"),
        ("TOPIC_PREFIX", "a b", "must be of letters, digits"),
        ("LOG_FORMAT", "xml", "must be 'console' or 'json'"),
        ("API_TOKEN", "two words", "must be one word of printable ASCII"),
        ("API_TOKEN", "t\u00f6ken", "must be one word of printable ASCII"),
        ("API_TOKEN", "\udcff", "is not UTF-8 text"),
        ("PAGERDUTY__ROUTING_KEY", "abc", "must be the 32 letters and digits of an Events API v2"),
        ("PAGERDUTY__BASE_URL", "events.example", "must be a URL such as"),
        ("PAGERDUTY__BASE_URL", "http://events.pagerduty.com", "must begin with https://"),
        (
            "DATADOG__BASE_URL",
            "https://me:hunter2@proxy",  # pragma: allowlist secret
            "must not hold a user name or a password",
        ),
        ("DATADOG__SITE", "https://datadoghq.com", "must be a Datadog site such as"),
        ("BROKER_SECURITY__PROTOCOL", "TLS", "must be 'PLAINTEXT', 'SSL', 'SASL_PLAINTEXT' or 'SASL_SSL'"),
        ("BROKER_SECURITY__MECHANISM", "MD5", "must be 'PLAIN', 'SCRAM-SHA-256'"),
        ("BROKER_SECURITY__AWS_REGION", "Virginia", "must be a region of AWS: us-gov-west-1"),
        ("PORT", "tcp://10.0.0.1:6066", "must be a port; Kubernetes sets this address"),
        ("PAGERDUTY__REST_FROM", "Ada Byron", "must be the e-mail address of a user in PagerDuty"),
        ("SLACK__TEAM", "VA", "must be the id of a workspace"),
        ("STATUSPAGE__PAGE", "va.gov", "must be the id of a page"),
    ],
)
def test_a_bad_value_is_told_by_variable_what_it_must_be(variable: str, value: str, said: str) -> None:
    (line,) = problems({f"WATCHOFFICER_{variable}": value})
    assert line.startswith(f"WATCHOFFICER_{variable}: {said}")
    assert value not in line


@pytest.mark.parametrize(
    "url", ["http://localhost:8000", "http://10.1.2.3", "http://sandbox:80", "https://proxy"]
)
def test_credentials_may_go_in_the_clear_to_private_networks_only(url: str) -> None:
    assert read_settings({"WATCHOFFICER_PAGERDUTY__BASE_URL": url}).pagerduty.base_url == url


def test_every_bad_variable_is_reported_at_once() -> None:
    environ = {
        "WATCHOFFICER_PORT": "x",
        "WATCHOFFICER_LOG_FORMAT": "y",
        "WATCHOFFICER_DATADOG__APP_KEY_FILE": "/nope/z",
    }
    assert [line.split(":")[0] for line in problems(environ)] == [
        "WATCHOFFICER_DATADOG__APP_KEY_FILE",
        "WATCHOFFICER_LOG_FORMAT",
        "WATCHOFFICER_PORT",
    ]


def test_a_tilde_is_the_home_folder_in_every_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("policy.yaml", "token", "server.pem"):
        (tmp_path / name).write_text("secret-of-a-file")
    (tmp_path / "schemas").mkdir()
    settings = read_settings(
        {
            "WATCHOFFICER_POLICY": "~/policy.yaml",
            "WATCHOFFICER_API_TOKEN_FILE": "~/token",
            "WATCHOFFICER_EMAIL__CA_FILE": "~/server.pem",
            "WATCHOFFICER_SCHEMA_REGISTRY__FOLDER": "~/schemas",
        }
    )
    assert settings.policy == tmp_path / "policy.yaml"
    assert settings.api_token is not None
    assert settings.api_token.get_secret_value() == "secret-of-a-file"
    assert settings.email.ca_file == tmp_path / "server.pem"
    assert settings.schema_registry.folder == tmp_path / "schemas"


def test_a_home_folder_that_nobody_has_is_told_with_what_to_do() -> None:
    paths = {
        "WATCHOFFICER_POLICY": "~no-such-user/policy.yaml",
        "WATCHOFFICER_API_TOKEN_FILE": "~no-such-user/t",
    }
    said = "begins with ~, and no home folder is known here: write the whole path"
    assert problems(paths) == [
        f"{name}: {said}" for name in ("WATCHOFFICER_API_TOKEN_FILE", "WATCHOFFICER_POLICY")
    ]


def test_a_secret_may_not_come_from_two_places(tmp_path: Path) -> None:
    lines = problems(
        {"WATCHOFFICER_API_TOKEN": "hunter2", "WATCHOFFICER_API_TOKEN_FILE": str(tmp_path / "t")}
    )
    assert lines == [
        "WATCHOFFICER_API_TOKEN_FILE: must not be set beside WATCHOFFICER_API_TOKEN: which one counts?"
    ]


def test_a_receiver_is_on_when_it_has_what_it_cannot_do_without() -> None:
    assert read_settings({}).sinks() == frozenset()
    everything = SECRETS | WITH_SASL | {"WATCHOFFICER_SLACK__CHANNEL": "oncall"}
    on = {"pagerduty", "datadog", "webhook", "webhook:second", "teams", "teams:second"}
    assert read_settings(everything).sinks() == on | {"slack"}
    assert [sentence.split(" is off")[0] for sentence in read_settings(everything).sinks_off()] == [
        "PagerDuty's REST API is not used: WATCHOFFICER_PAGERDUTY__REST_FROM is not set",
        "E-mail",
        "Statuspage",
        "Alertmanager",
    ]
    without_channel = read_settings(SECRETS | WITH_SASL)
    assert without_channel.sinks() == on
    assert "Slack is off: WATCHOFFICER_SLACK__CHANNEL is not set" in without_channel.sinks_off()


def test_what_is_off_is_said_with_the_variable_that_turns_it_on() -> None:
    assert read_settings({}).sinks_off() == (
        "PagerDuty is off: WATCHOFFICER_PAGERDUTY__ROUTING_KEY is not set",
        "Datadog is off: WATCHOFFICER_DATADOG__API_KEY is not set",
        "Slack is off: WATCHOFFICER_SLACK__TOKEN and WATCHOFFICER_SLACK__CHANNEL are not set",
        "Webhook is off: WATCHOFFICER_WEBHOOK__URL is not set",
        "E-mail is off: WATCHOFFICER_EMAIL__HOST and WATCHOFFICER_EMAIL__SENDER and WATCHOFFICER_EMAIL__TO are not set",
        "Microsoft Teams is off: WATCHOFFICER_TEAMS__URL is not set",
        "Statuspage is off: WATCHOFFICER_STATUSPAGE__API_KEY and WATCHOFFICER_STATUSPAGE__PAGE and"
        " WATCHOFFICER_STATUSPAGE__HEADLINE and WATCHOFFICER_STATUSPAGE__COMPONENTS are not set",
        "Alertmanager is off: WATCHOFFICER_ALERTMANAGER__URLS is not set",
    )
    partly = read_settings(
        {"WATCHOFFICER_DATADOG__API_KEY": "k", "WATCHOFFICER_PAGERDUTY__ROUTING_KEY": ROUTING_KEY}
    )
    assert partly.sinks_off()[:2] == (
        "acknowledgements in PagerDuty are not received: WATCHOFFICER_PAGERDUTY__WEBHOOK_SECRET is not set",
        "Datadog gets events but no incidents: WATCHOFFICER_DATADOG__APP_KEY is not set",
    )


def test_no_text_of_settings_holds_a_secret() -> None:
    settings = read_settings(SECRETS | WITH_SASL)
    shown = [repr(settings), str(settings), repr(settings.model_dump()), settings.model_dump_json()]
    shown += [
        repr(settings.model_dump(mode="json")),
        repr(dict(settings)),
        f"{settings!s} {settings.pagerduty}",
    ]
    for text in shown:
        assert not [secret for secret in SECRETS.values() if secret in text]


def test_no_error_holds_a_secret_even_where_it_is_the_secret_that_is_wrong() -> None:
    environ = {name: f"{secret} \u00e9" for name, secret in SECRETS.items()} | {"WATCHOFFICER_PORT": "x"}
    environ["WATCHOFFICER_CHART_KEY"] = "chart-hunter2"
    environ["WATCHOFFICER_HASH_KEY"] = "hash-hunter2"  # too short: of any text of 32 bytes a key can be made
    with pytest.raises(SettingsError) as caught:
        read_settings(environ)
    text = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + repr(caught.value.args)
    assert len(caught.value.problems) >= len(SECRETS)
    assert not [secret for secret in SECRETS.values() if secret in text]


@pytest.mark.parametrize(
    "values",
    [
        {"pagerduty": {"routing_key": "hunter2"}},
        {"pagerduty": {"routing_kye": "hunter2"}},
        {"pagerduty": "hunter2"},
        {"pagerduty": ["hunter2"]},
        {"api_token": ["hunter2"]},
        {"api_token": "hunter2 \u00e9"},
        {"apitoken": "hunter2"},
        {"broker_security": {"protocol": "SASL_SSL", "mechanism": "PLAIN", "password": "hunter2"}},
        {"slack": {"token": SecretStr("hunter2"), "chanel": "hunter2"}},
    ],
)
def test_no_validation_error_of_settings_made_by_hand_holds_a_secret(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings(**values)
    error = caught.value
    assert "hunter2" not in str(error) + repr(error) + repr(error.errors()) + error.json()


@given(st.sampled_from(sorted(SECRETS)), st.text(min_size=6, max_size=40))
def test_whatever_a_secret_is_set_to_is_kept_or_refused_but_never_shown(name: str, secret: str) -> None:
    # A text that stands in every message or repr anyway is no witness.
    secret = f"\u2603{secret}" if name.endswith("PASSWORD") else f"~{secret}~"
    try:
        settings = read_settings(WITH_SASL | {"WATCHOFFICER_BROKER_SECURITY__PASSWORD": "p"} | {name: secret})
    except SettingsError as error:
        assert secret not in str(error)  # noqa: PT017 - either outcome is right
    else:
        assert secret.rstrip("\r\n") in settings.secrets()
        assert secret not in repr(settings)


def test_settings_cannot_be_changed() -> None:
    settings = read_settings({})
    with pytest.raises(ValidationError, match="frozen"):
        settings.port = 1
    assert pickle.loads(pickle.dumps(settings)) == settings
