"""An environment without settings, so that those of the machine do not reach a test."""

import os
from dataclasses import fields

import pytest

from assistant.settings import Settings

VARIABLES: dict[str, str] = {
    item.metadata["variable"]: item.metadata["explanation"] for item in fields(Settings)
}
"""All variables with their explanations."""


def without_settings() -> dict[str, str]:
    """Return the environment of this process without settings."""
    return {name: value for name, value in os.environ.items() if name not in VARIABLES}


def remove_settings(patch: pytest.MonkeyPatch) -> None:
    """Remove all settings from the environment for as long as the patch lasts."""
    for name in VARIABLES:
        patch.delenv(name, raising=False)
