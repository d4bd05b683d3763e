"""`egao doctor`: each trouble is named with what to do about it, on a real home, the real weights and a Discord on loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import discord
import pytest
from typer.testing import CliRunner

from bot.doctor import _ask
from bot.ops.invite import NEEDED, invite_link
from core import doctor
from core.cli import app
from core.doctor import Finding, findings
from core.settings import Settings
from core.store import Owner, Store, database_file
from core.store.keys import key_file, new_key
from tests.core.store.kit import ALICE, SERVER, keep_face, raw
from tests.discord.fake import FakeDiscord
from tests.discord.patch import patched

ROOT = Path(__file__).parents[2]
TOKEN = {"DISCORD_TOKEN": "t" * 60}


@pytest.fixture
def own(settings: Settings, tmp_path: Path) -> Settings:
    """A home of its own with a face in it."""
    made = settings.model_copy(update={"home": tmp_path / "home"})
    with Store.open(made) as store:
        keep_face(store, Owner(SERVER, ALICE))
    return made


def states(found: list[Finding]) -> dict[str, str]:
    return {finding.name: finding.state for finding in found}


def wrong(settings: Settings) -> dict[str, str]:
    return {finding.name: finding.text for finding in findings(settings) if finding.state == "wrong"}


def test_a_sound_home_is_sound(own: Settings) -> None:
    found = list(findings(own))
    assert set(states(found).values()) == {"ok"}, found
    text = "\n".join(finding.text for finding in found)
    assert str(database_file(own)) in text
    assert str(key_file(own)) in text


def test_before_the_first_use_nothing_is_wrong_and_nothing_is_made(settings: Settings, tmp_path: Path) -> None:
    fresh = settings.model_copy(update={"home": tmp_path / "a" / "home"})
    assert wrong(fresh) == {}
    assert list(tmp_path.iterdir()) == []


def cut(own: Settings) -> None:
    content = database_file(own).read_bytes()
    database_file(own).write_bytes(content[:4096] + bytes(len(content) - 4096))


def altered(own: Settings) -> None:
    with raw(own.home) as db:
        db.execute("update faces set latent = zeroblob(100)")
    db.close()


TROUBLES: dict[str, tuple[Callable[[Settings], object], str, str]] = {
    "an exposed key": (lambda own: key_file(own).chmod(0o644), "key", "chmod 600"),
    "a lost key": (lambda own: key_file(own).unlink(), "key", "Put that key back"),
    "another key": (lambda own: key_file(own).write_text(new_key()), "store", "Put that key back"),
    "half a key": (lambda own: key_file(own).write_text("abc"), "key", "egao keys new"),
    "a damaged store": (cut, "store", "egao db restore"),
    "an altered face": (altered, "store", "egao db restore"),
}  # fmt: skip


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_trouble_is_named_with_what_to_do(own: Settings, trouble: str) -> None:
    make, part, remedy = TROUBLES[trouble]
    make(own)
    assert remedy in wrong(own)[part]


@pytest.mark.parametrize("size", [0, 4096])
def test_a_store_whose_making_broke_off_has_lost_no_key(settings: Settings, tmp_path: Path, size: int) -> None:
    """As on a full disk: the next start makes both."""
    begun = settings.model_copy(update={"home": tmp_path})
    database_file(begun).write_bytes(bytes(size))
    key = next(one for one in findings(begun) if one.name == "key")
    assert (key.state, "none yet" in key.text) == ("ok", True)


def test_missing_and_altered_weights_are_told_apart(own: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "weights"
    folder.mkdir(parents=True)
    moved = own.model_copy(update={"cache": tmp_path / "cache"})
    assert "egao models pull" in wrong(moved)["weights"]
    for file in (own.cache / "weights").iterdir():
        (folder / file.name).symlink_to(file)
    assert "weights" not in wrong(moved)
    content = bytearray((folder / "age-v1.onnx").read_bytes())
    content[5_000_000] ^= 1
    (folder / "age-v1.onnx").unlink()
    (folder / "age-v1.onnx").write_bytes(content)
    assert "egao models pull --force" in wrong(moved)["weights"]


def test_folders_that_cannot_be_written_or_are_full(own: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    assert "EGAO_CACHE" in wrong(own.model_copy(update={"cache": tmp_path / "file"}))["cache"]
    own.home.chmod(0o755)
    assert states(list(findings(own)))["home"] == "note"
    own.home.chmod(0o700)
    monkeypatch.setattr(doctor, "LEAST_FREE", 1 << 60)
    assert "Free some space" in wrong(own)["home"]


def test_a_gpu_that_is_not_there_and_gates_that_are_off(own: Settings) -> None:
    changed = own.model_copy(update={"device": "cuda", "gates": "off"})
    found = {finding.name: finding for finding in findings(changed)}
    assert found["torch"].state == "wrong"
    assert "EGAO_DEVICE" in found["torch"].text
    assert found["gates"].state == "note"


def test_trained_parts_of_another_generator(own: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_generator_of", lambda file: "0" * 64)
    assert set(wrong(own)) == {"projection", "directions", "starts"}
    assert "egao train" in wrong(own)["projection"]


def run(own: Settings, *options: str, **environ: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "EGAO_HOME": str(own.home), "EGAO_CACHE": str(own.cache)}
    command = [sys.executable, "-m", "core.cli", "doctor", *options]
    environment |= environ
    return subprocess.run(command, cwd=own.home, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_the_command_says_it_in_lines_and_in_json(own: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    good = run(own, **TOKEN, EGAO_COMPILE="off")  # code that its user had compiled is not signed by this home's key
    assert (good.returncode, good.stderr) == (0, "")
    assert all(line.startswith("ok ") for line in good.stdout.splitlines())
    assert TOKEN["DISCORD_TOKEN"] not in good.stdout
    monkeypatch.chdir(own.home)
    here = {"EGAO_HOME": str(own.home), "EGAO_CACHE": str(own.cache), "DISCORD_TOKEN": None}
    bad = CliRunner(env=here).invoke(app, ["doctor", "--json"])  # in this process, where torch is already
    found = {one["name"]: one for one in json.loads(bad.stdout)}
    assert bad.exit_code == 1
    assert found["token"]["state"] == "wrong"
    assert "DISCORD_TOKEN" in found["token"]["text"]
    unusable = CliRunner(env={**here, **TOKEN, "EGAO_THREADS": "many"}).invoke(app, ["doctor", "--json"])
    assert unusable.exit_code == 1
    assert [one["name"] for one in json.loads(unusable.stdout)] == ["settings"]


async def ask(fake: FakeDiscord, settings: Settings, token: str) -> dict[str, Finding]:
    with patched(fake.url):
        made = Settings.load({"DISCORD_TOKEN": token, "EGAO_HOME": str(settings.home)})
        return {f"{one.name} {one.text.split(':')[0]}" if one.name == "server" else one.name: one for one in await _ask(made)}


async def test_discord_is_asked_about_token_intents_and_permissions(own: Settings) -> None:
    async with FakeDiscord() as fake:
        good, mute, gone = (fake.guild(name) for name in ("good", "mute", "gone"))
        mute.everyone.permissions &= ~((1 << 15) | (1 << 11))  # attach files, send messages
        gone.remove_bot()
        with Store.open(own) as store:
            for guild in (good, mute, gone):
                store.guilds.set(guild.id)
        found = await ask(fake, own, fake.token)
        assert (found["token"].state, found["intents"].state) == ("ok", "ok")
        assert invite_link(fake.world.bot.id) in found["invite"].text
        assert found[f"server {good.id}"].state == "ok"
        assert found[f"server {mute.id}"].state == "wrong"
        assert "send messages, attach files" in found[f"server {mute.id}"].text
        assert found[f"server {gone.id}"].state == "note"
        fake.rules.message_content = False
        found = await ask(fake, own, fake.token)
        assert found["intents"].state == "note"
        assert "Privileged Gateway Intents" in found["intents"].text
        refused = await ask(fake, own, "another")
        assert refused["token"].state == "wrong"
        assert "Reset Token" in refused["token"].text
        assert "another" not in refused["token"].text
        assert not fake.gateway.connected, "a bot that runs keeps its only connection"
    assert (await ask(fake, own, fake.token))["discord"].state == "wrong"


async def test_the_open_channels_are_looked_at_one_by_one(own: Settings) -> None:
    async with FakeDiscord() as fake:
        guild = fake.guild("Studio")
        fine, mute, office, gone = (guild.channel(name) for name in ("fine", "mute", "office", "gone"))
        mute.overwrites[guild.id] = (0, 1 << 15)  # nobody may attach files
        office.overwrites[fake.world.bot.id] = (0, 1 << 10)  # the bot may not see it
        guild.channels.remove(gone)
        with Store.open(own) as store:
            store.guilds.set(guild.id, channels=(fine.id, mute.id, gone.id), report_channel=office.id)
        with patched(fake.url):
            made = Settings.load({"DISCORD_TOKEN": fake.token, "EGAO_HOME": str(own.home)})
            told = [one.text for one in await _ask(made) if one.name == "channel" and one.state == "wrong"]
        assert len(told) == 3
        assert f"channel {mute.id}: the bot lacks attach files. An admin can" in told[0]
        assert f"channel {gone.id}: it is gone" in told[1]
        assert f"channel {office.id}: the bot lacks view channel" in told[2]
        assert not fake.rest.unknown


def test_the_permissions_that_are_asked_for_exist() -> None:
    assert set(NEEDED) <= set(discord.Permissions.VALID_FLAGS)
