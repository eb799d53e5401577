"""The objects that one process shares: created once, and replaced when the settings change."""

from contextlib import closing
from pathlib import Path

import pytest

from assistant.application import Application
from assistant.backends.shared import MAX_BACKENDS
from assistant.errors import SettingsError
from assistant.settings import Settings
from tests.environment import remove_settings


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    remove_settings(monkeypatch)


def test_a_changed_env_file_applies_to_the_next_configuration(tmp_path: Path) -> None:
    with closing(Application(tmp_path)) as app:
        app.configure({})
        assert (app.settings.name, app.settings.demo) == ("Trip planner", True)
        (tmp_path / ".env").write_text("ASSISTANT_NAME=Guide\n")
        app.configure({})
        assert app.settings.name == "Guide"


def test_an_invalid_setting_is_an_error_and_the_previous_settings_stay(tmp_path: Path) -> None:
    with closing(Application(tmp_path)) as app:
        app.configure({})
        with pytest.raises(SettingsError, match="ASSISTANT_MAX_ROUNDS"):
            app.configure({"ASSISTANT_MAX_ROUNDS": "many"})
        assert app.settings.max_rounds == 10


def test_the_database_is_opened_once_for_each_url(tmp_path: Path) -> None:
    with closing(Application(tmp_path)) as app:
        app.configure({})
        first = app.autosaver
        app.configure({"ASSISTANT_NAME": "Guide"})
        assert app.autosaver is first
        app.configure({"ASSISTANT_DATABASE_URL": f"sqlite:///{tmp_path}/other.sqlite"})
        assert app.autosaver is not first
        assert app.autosaver.store is not None


def test_sessions_with_the_same_settings_share_a_backend(tmp_path: Path) -> None:
    with closing(Application(tmp_path)) as app:
        settings = Settings(api_key="sk-test-key")
        assert app.backends.shared(settings) is app.backends.shared(Settings(api_key="sk-test-key"))
        assert app.backends.private(settings) is not app.backends.shared(settings)


def test_the_least_recently_used_backend_is_dropped(tmp_path: Path) -> None:
    with closing(Application(tmp_path)) as app:
        settings = [Settings(api_key="sk-test-key", model=f"m{n}") for n in range(MAX_BACKENDS + 1)]
        first, second, *_ = backends = [app.backends.shared(each) for each in settings[:-1]]
        app.backends.shared(settings[0])
        app.backends.shared(settings[-1])
        assert app.backends.shared(settings[0]) is first
        assert app.backends.shared(settings[1]) is not second
        assert len(set(map(id, backends))) == MAX_BACKENDS
