"""Starting and stopping the process itself: what it says when something is missing, and how it leaves."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

from bot.app import CONFIGURATION
from core.settings import Settings
from tests.bot.workbench import CREATE
from tests.discord.fake import FakeDiscord
from tests.discord.process import BotProcess

ROOT = Path(__file__).parents[3]
# Workers that are there at once: what the real ones load is the process tests' matter.
QUICK = {"EGAO_DEVICE": "cpu", "FAKE_WORKBENCH": CREATE}


def run(home: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    environment = {"PYTHONPATH": str(ROOT), "EGAO_HOME": str(home), "PATH": "/usr/bin:/bin", **environ}
    return subprocess.run([sys.executable, "-m", "bot"], cwd=home, env=environment, capture_output=True, text=True, timeout=60)


def test_a_missing_token_is_one_sentence(tmp_path: Path) -> None:
    ended = run(tmp_path)
    assert ended.returncode == CONFIGURATION
    assert ended.stderr.startswith("egao: The setting DISCORD_TOKEN is not usable (it is missing")
    assert ended.stderr.count("\n") == 1


def test_missing_weights_are_one_sentence(tmp_path: Path) -> None:
    ended = run(tmp_path, DISCORD_TOKEN="x", EGAO_CACHE=str(tmp_path / "empty"))
    assert ended.returncode == CONFIGURATION
    assert "egao models pull" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_an_unusable_setting_is_one_sentence(tmp_path: Path) -> None:
    ended = run(tmp_path, DISCORD_TOKEN="x", EGAO_HTTP_PORT="many")
    assert ended.returncode == CONFIGURATION
    assert "EGAO_HTTP_PORT" in ended.stderr
    assert ended.stderr.count("\n") == 1


async def test_a_refused_token_is_named_and_nothing_is_left_behind(tmp_path: Path, settings: Settings) -> None:
    environ = {**QUICK, "DISCORD_TOKEN": "wrong", "EGAO_CACHE": str(settings.cache)}
    async with FakeDiscord() as discord, BotProcess(discord, home=tmp_path, environ=environ) as bot:
        assert await bot.wait(60) == CONFIGURATION
        assert "Discord refused it" in bot.log
        assert "Traceback" not in bot.log
        assert "wrong" not in bot.log


async def test_a_port_in_use_is_one_sentence_and_not_taken_for_an_outage(tmp_path: Path, settings: Settings) -> None:
    taken = socket.create_server(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    environ = {**QUICK, "EGAO_CACHE": str(settings.cache), "EGAO_HTTP_PORT": str(port)}
    async with FakeDiscord() as discord, BotProcess(discord, home=tmp_path, environ=environ) as bot:
        with taken:
            assert await bot.wait(60) == CONFIGURATION
        assert f"The setting EGAO_HTTP_HOST is not usable (127.0.0.1, port {port}: " in bot.log
        assert "Traceback" not in bot.log


async def test_without_the_intent_it_runs_and_says_so_and_leaves_cleanly(tmp_path: Path, settings: Settings) -> None:
    environ = {**QUICK, "EGAO_CACHE": str(settings.cache)}
    async with FakeDiscord() as discord:
        discord.rules.message_content = False
        async with BotProcess(discord, home=tmp_path, environ=environ) as bot:
            await discord.wait_ready(60)
            assert "message content intent is off" in bot.log
            assert await bot.stop() == 0
            assert "Traceback" not in bot.log
            assert not bot.children()
