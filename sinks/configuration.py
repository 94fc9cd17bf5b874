"""Which kinds of value do settings have, and what is a group of settings?

An error message states what is expected, never the value: it may be a secret in the wrong variable.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, SecretStr, model_validator

from detectors.policy.types import Consistent
from sinks.small_files import check_regular_file

__all__ = [
    "Group",
    "HeaderSecret",
    "HttpUrl",
    "Port",
    "ReadableFile",
    "Secret",
    "SecretUrl",
    "UserPath",
    "expanded",
    "formed",
    "is_secret",
    "wrap_secrets",
]


class Group(Consistent):
    """A group of settings: immutable, with values that may be secrets wrapped before validation."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _wrap_secrets(cls, values: Any) -> Any:
        return wrap_secrets(cls, values)


def is_secret(annotation: Any) -> bool:
    """Return whether a field with this annotation holds a secret."""
    return "SecretStr" in str(annotation)


def wrap_secrets(model: type[BaseModel], values: Any) -> Any:
    """Return ``values`` with all text as ``SecretStr``, except text for fields that are known to hold no secret.

    pydantic's errors keep the input, so the input must not contain a bare secret.
    """
    if not isinstance(values, dict):
        return _wrapped(values)
    fields = model.model_fields
    return {
        name: _wrapped(value) if name not in fields or is_secret(fields[name].annotation) else value
        for name, value in values.items()
    }


def _wrapped(value: Any) -> Any:
    if isinstance(value, str):
        return SecretStr(value)
    if isinstance(value, list | tuple):
        return [_wrapped(item) for item in value]
    if isinstance(value, dict):
        return {key: _wrapped(item) for key, item in value.items()}
    return value


def _port(value: object) -> int:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,5}", value, re.ASCII):
        value = int(value)
    if isinstance(value, str) and value.startswith("tcp://"):
        raise ValueError(
            "must be a port; Kubernetes sets this address: set enableServiceLinks to false in the pod"
        )
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 65535:
        raise ValueError("must be a port, 0 to 65535 (0: any that is free)")
    return value


def _http_url(value: str) -> str:
    """Return a base URL without a slash at its end.

    Credentials are sent to the URL, so plain HTTP is allowed on this machine and private networks only.

    Raises:
        ValueError: the text is no such URL.
    """
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("must be a URL such as https://events.pagerduty.com")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a user name or a password")
    if parts.scheme == "http" and not _is_near(parts.hostname):
        raise ValueError("must begin with https:// (http:// is for this machine and private networks only)")
    return value.rstrip("/")


def _is_near(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return "." not in host  # localhost, or a service in the same network


def _header_secret(value: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[\x21-\x7e]+", value.get_secret_value(), re.ASCII):
        raise ValueError("must be one word of printable ASCII characters")
    return value


def _secret_url(value: SecretStr) -> SecretStr:
    parts = urlsplit(value.get_secret_value())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be a URL such as https://hc-ping.com/uuid")
    if parts.scheme == "http" and not _is_near(parts.hostname):
        raise ValueError("must begin with https:// (http:// is for this machine and private networks only)")
    return _header_secret(value)


def formed(pattern: str, must: str) -> AfterValidator:
    """Return what refuses a text that is not of a form.

    Args:
        pattern: that the whole text matches.
        must: says what it must be, with an example.
    """

    def check(value: str) -> str:
        if not re.fullmatch(pattern, value, re.ASCII):
            raise ValueError(must)
        return value

    return AfterValidator(check)


def expanded(value: Path) -> Path:
    """Return the path with the home folder in place of ``~``, which no shell has replaced in a file of variables.

    Raises:
        ValueError: there is no home folder.
    """
    try:
        return value.expanduser()
    except RuntimeError:
        raise ValueError("begins with ~, and no home folder is known here: write the whole path") from None


def _readable_file(value: Path) -> Path:
    try:
        check_regular_file(value)
    except OSError as error:
        raise ValueError(f"names a file that cannot be read: {error.strerror}") from None
    return value


#: Any text, for instance a password.
Secret = SecretStr
#: A secret that is sent in a header: one word.
HeaderSecret = Annotated[SecretStr, AfterValidator(_header_secret)]
#: A URL that is a secret as a whole.
SecretUrl = Annotated[SecretStr, AfterValidator(_secret_url)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
Port = Annotated[int, BeforeValidator(_port)]
#: A path in which ``~`` stands for the home folder.
UserPath = Annotated[Path, AfterValidator(expanded)]
ReadableFile = Annotated[UserPath, AfterValidator(_readable_file)]
