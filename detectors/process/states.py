"""Which states and territories of the United States may an outage be declared for, and how do words name them?"""

from __future__ import annotations

__all__ = ["US_STATES", "read_states"]

_CODES = (
    "AK AL AR AS AZ CA CO CT DC DE FL GA GU HI IA ID IL IN KS KY LA MA MD ME MI MN MO MP MS MT"
    " NC ND NE NH NJ NM NV NY OH OK OR PA PR RI SC SD TN TX UT VA VI VT WA WI WV WY"
)
#: The two-letter codes: 50 states, the District of Columbia, and five territories.
US_STATES: tuple[str, ...] = tuple(_CODES.split())


def read_states(words: str) -> tuple[str, ...]:
    """Return the codes that words such as ``AR,tx`` name, in the order of the alphabet, each once.

    Args:
        words: codes of two letters in any case, with commas or blanks between them.

    Raises:
        ValueError: they name none, or what is no state or territory.
    """
    codes = {word.upper() for word in words.replace(",", " ").split()}
    if not codes:
        raise ValueError("no state is named; give two-letter codes such as AR,TX, or leave states out")
    unknown = sorted(codes.difference(US_STATES))
    if unknown:
        raise ValueError(f"{unknown[0][:20]!r} is no state or territory; give two-letter codes such as AR,TX")
    return tuple(sorted(codes))
