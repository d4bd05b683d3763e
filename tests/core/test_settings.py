"""Settings: what is read from where, what is refused, and that .env.example tells the truth about every field."""

from __future__ import annotations

from pathlib import Path

import pytest
from dotenv import dotenv_values

from core.errors import BadSetting
from core.settings import PREFIX, Settings

EXAMPLE = Path(__file__).parents[2] / ".env.example"


def _variable(field: str) -> str:
    return "DISCORD_TOKEN" if field == "discord_token" else PREFIX + field.upper()


def test_the_example_names_every_field_and_nothing_else() -> None:
    assert set(dotenv_values(EXAMPLE)) == {_variable(field) for field in Settings.model_fields}


def test_the_example_is_the_defaults() -> None:
    values = {name: value for name, value in dotenv_values(EXAMPLE).items() if value is not None}
    assert Settings.load(values) == Settings.load({})


def test_every_value_of_the_example_has_a_comment_above_its_paragraph() -> None:
    for paragraph in EXAMPLE.read_text().strip().split("\n\n"):
        assert paragraph.startswith("# "), f"no comment: {paragraph}"


def test_a_mapping_is_all_that_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EGAO_THREADS", "7")
    (tmp_path / ".env").write_text("EGAO_THREADS=6\n")
    monkeypatch.chdir(tmp_path)
    assert Settings.load({}).threads == 0


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("EGAO_THREADS=6\nEGAO_LOG_LEVEL=debug\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EGAO_THREADS", "7")
    settings = Settings.load()
    assert (settings.threads, settings.log_level) == (7, "debug")


MOVED = {"EGAO_HOME": "/x", "EGAO_CACHE": "/x", "EGAO_CDN_HOSTS": "evil.example", "EGAO_HTTP_HOST": "0.0.0.0"}
FIELDS = ("home", "cache", "cdn_hosts", "http_host")


def test_a_file_of_the_working_directory_moves_nothing_unless_an_operator_works_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in MOVED.items()) + "EGAO_THREADS=6\n")
    (tmp_path / "DISCORD_TOKEN").write_text("theirs")
    monkeypatch.chdir(tmp_path)
    for name in MOVED:
        monkeypatch.delenv(name, raising=False)
    usual, ours, theirs = Settings.load({}), Settings.load(), Settings.load(operator=True)
    assert ours.threads == 6
    assert {name: getattr(ours, name) for name in FIELDS} == {name: getattr(usual, name) for name in FIELDS}
    assert {record.args[0] for record in caplog.records if isinstance(record.args, tuple)} == set(MOVED)
    assert {
        f"EGAO_{field.upper()}": str(getattr(theirs, field)) for field in ("home", "cache", "cdn_hosts", "http_host")
    } == MOVED


def test_a_file_of_the_working_directory_names_no_folder_of_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"CREDENTIALS_DIRECTORY={tmp_path}\n")
    (tmp_path / "DISCORD_TOKEN").write_text("theirs")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assert Settings.load(operator=True).discord_token is None


def test_home_and_cache_follow_the_desktop_convention(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    settings = Settings.load({})
    assert (settings.home, settings.cache) == (Path("/data/egao"), Path("/cache/egao"))


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("EGAO_THREADS", "many"),
        ("EGAO_THREADS", "-1"),
        ("EGAO_DEVICE", "tpu"),
        ("EGAO_HTTP_PORT", "65536"),
        ("EGAO_MAX_PIXELS", "0"),
        ("EGAO_NO_SUCH_THING", "1"),
        *(("EGAO_CLUSTER", wrong) for wrong in ("somewhere", ":6379", "head:port", "head:0", "head:65536", "head:6379999999")),
    ],
)
def test_a_wrong_value_is_one_sentence_that_names_the_variable(variable: str, value: str) -> None:
    with pytest.raises(BadSetting) as caught:
        Settings.load({variable: value})
    assert variable in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("right", ["", "auto", "head:6379", "10.0.0.1:65535"])
def test_a_head_has_a_host_and_a_port(right: str) -> None:
    assert Settings.load({"EGAO_CLUSTER": right}).cluster == right


@pytest.mark.parametrize("written", ["DISCORD_TOKEN=x\n".encode("utf-16"), b"EGAO_HOME=/d\xe9j\xe0\n", b"\0\xff" * 50])
def test_a_file_that_is_no_text_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, written: bytes) -> None:
    """As some editors save it, or half of one after a crash."""
    (tmp_path / ".env").write_bytes(written)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadSetting, match=r"file \.env .*UTF-8"):
        Settings.load(operator=True)


@pytest.mark.parametrize("name", ["a" * 300, "a\0b"])
@pytest.mark.parametrize("variable", ["EGAO_HOME", "EGAO_CACHE"])
def test_a_folder_that_cannot_be_named_is_told_at_once(tmp_path: Path, variable: str, name: str) -> None:
    with pytest.raises(BadSetting, match=variable):
        Settings.load({variable: f"{tmp_path}/{name}"})
    assert Settings.load({variable: f"{tmp_path}/not/yet"})


def test_secrets_do_not_show() -> None:
    settings = Settings.load({"DISCORD_TOKEN": "s3cret-token", "EGAO_KEY": "s3cret-key"})
    assert "s3cret" not in repr(settings) + str(settings) + settings.model_dump_json()
    assert settings.discord_token is not None
    assert settings.discord_token.get_secret_value() == "s3cret-token"


def test_a_service_manager_may_lay_the_secrets_into_files(tmp_path: Path) -> None:
    (tmp_path / "DISCORD_TOKEN").write_text("from-a-file\n")
    (tmp_path / "EGAO_KEY").write_text("a-key\n")
    (tmp_path / "EGAO_THREADS").write_text("7\n")
    folder = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    settings = Settings.load(folder)
    assert settings.discord_token is not None
    assert settings.key is not None
    assert (settings.discord_token.get_secret_value(), settings.key.get_secret_value()) == ("from-a-file", "a-key")
    assert settings.threads == 0, "only secrets come that way"
    own = Settings.load({**folder, "DISCORD_TOKEN": "from-the-environment", "EGAO_KEY": ""})
    assert own.discord_token is not None
    assert own.discord_token.get_secret_value() == "from-the-environment"
    assert own.key is not None, "an empty variable is none"
    (tmp_path / "DISCORD_TOKEN").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadSetting, match="DISCORD_TOKEN"):
        Settings.load(folder)
