"""What the privacy statement promises is what the code does: each number in it, and that the bot's /privacy agrees."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from bot.client import EXPIRE_SECONDS
from bot.text.privacy import ADULT as TOLD
from bot.text.privacy import CONSENT_VERSION, privacy
from bot.text.speaker import Speaker
from bot.transport.answer import TOKEN_LIFE
from core import gates
from core.faces.detect import MOST as MOST_FACES
from core.gates import ADULT
from core.settings import Settings
from core.store import GuildSettings
from core.store.erasure import MEMBER_SECONDS, REPORT_SECONDS
from core.store.jobs import KEEP_SECONDS
from core.store.limits import DAY
from core.store.vault import KEY_BYTES

FILE = Path(__file__).parents[3] / "PRIVACY.md"
ENGLISH, JAPANESE = FILE.read_text("utf-8").split("# プライバシー")
DEFAULTS = Settings.load({})
GUILD = GuildSettings()
LEAST, MOST = (int(value) for value in GuildSettings.bounds("retention_hours"))
HOUR = 3600


def refused_from(ease: float) -> float:
    """The score from which a part with this ease is refused."""
    return round(1 - (1 - DEFAULTS.gate_explicit) * ease, 6)


LARGEST, LARGEST_EASE = gates._PARTS[0][0], gates._PARTS[0][2]
LARGE, SMALL = (ease for _, _, ease in gates._PARTS[1:])
# A sentence's part with its numbers, as it stands in either half; and where the numbers come from.
PROMISES = {
    "bytes": (r"at most (\d+) MiB", r"最大(\d+) MiB", DEFAULTS.max_bytes / 2**20),
    "pixels": (r"(\d+) million pixels", r"(\d+)万画素", None),
    "consent": (r"consent version (\d+)", r"同意バージョン(\d+)", CONSENT_VERSION),
    "explicit": (r"from a score of ([\d.]+)", r"スコア([\d.]+)以上", DEFAULTS.gate_explicit),
    "largest parts": (r"four of (\d+) % of each", r"それぞれ(\d+) %の四か所", 100 * LARGEST),
    "largest score": (r"% of each side \(from ([\d.]+)\)", r"%の四か所（([\d.]+)以上", refused_from(LARGEST_EASE)),
    "oblong": (r"more than ([\d.]+) times as long", r"比が([\d.]+)倍を超える", gates._OBLONG),
    "large parts": (r"each side \(refused from ([\d.]+)\)", r"四分の三の四か所（([\d.]+)以上", refused_from(LARGE)),
    "small parts": (r"nine of a half \(from ([\d.]+)\)", r"半分の九か所（([\d.]+)以上", refused_from(SMALL)),
    "long parts": (
        r"as wide \(from ([\d.]+)\)",
        r"個の正方形だけ（([\d.]+)以上",
        refused_from(gates._SQUARE_EASE),
    ),
    "squares": (r"up to (\d+) squares", r"最大(\d+)個の正方形", 2 * gates._SQUARES - 1),
    "crowd": (r"beyond the (\d+) widest", r"大きい順に(\d+)を超える", MOST_FACES),
    "young": (r"where ([\d.]+) of the age estimate", r"年齢推定の([\d.]+)以上", DEFAULTS.gate_young),
    "covered": (r"and refused from ([\d.]+)\)", r"埋めて見て、([\d.]+)以上", round(DEFAULTS.gate_young * gates.COVERED_EASE, 6)),
    "adult": (r"people under (\d+)", r"それぞれの顔が(\d+)歳未満", ADULT),
    "grown up": (r"at least (\d+)\.", r"(\d+)歳以上の人だけ", ADULT),
    "retention": (r"(\d+) hours after the photo was last given", r"最後に写真を送ってから(\d+)時間", GUILD.retention_hours),
    "least": (r"admins can set (\d+) to", r"管理者は(\d+)～", LEAST),
    "most": (r"admins can set \d+ to (\d+) hours", r"～(\d+)時間に設定可", MOST),
    "request": (r"answered, at most (\d+) hours", r"回答まで、最長(\d+)時間", KEEP_SECONDS / HOUR),
    "ended": (r"for (\d+) hours after it ended", r"終了後(\d+)時間", KEEP_SECONDS / HOUR),
    "member": (r"or (\d+) days without use", r"または(\d+)日使わない", MEMBER_SECONDS / DAY),
    "uses": (r"the id itself encrypted \| (\d+) hours", r"IDは暗号化 \| (\d+)時間", DAY / HOUR),
    "left uses": (r"the last\n(\d+) hours", r"直近(\d+)時間", DAY / HOUR),
    "reports": (r"erases their data, at most (\d+) days", r"最長(\d+)日", REPORT_SECONDS / DAY),
    "sweep": (r"every (\d+) minutes", r"(\d+)分ごと", EXPIRE_SECONDS / 60),
    "cipher": (r"AES-(\d+)-GCM", r"AES-(\d+)-GCM", KEY_BYTES * 8),
    "token": (r"answer, at most ([\d.]+) minutes", r"回答まで、最長([\d.]+)分", TOKEN_LIFE / timedelta(minutes=1)),
}


@pytest.mark.parametrize("promise", PROMISES)
def test_each_number_is_the_codes(promise: str) -> None:
    english, japanese, value = PROMISES[promise]
    found = [re.findall(english, ENGLISH), re.findall(japanese, JAPANESE)]
    assert [len(numbers) for numbers in found] == [1, 1], found
    if value is not None:
        assert float(found[0][0]) == float(found[1][0]) == value


def test_a_number_that_each_language_counts_differently_is_the_codes() -> None:
    english, japanese, _ = PROMISES["pixels"]
    [million], [myriads] = re.findall(english, ENGLISH), re.findall(japanese, JAPANESE)
    assert int(million) * 1_000_000 == int(myriads) * 10_000 == DEFAULTS.max_pixels


@pytest.mark.parametrize(("text", "column"), [(ENGLISH, 0), (JAPANESE, 1)])
def test_no_number_is_left_unchecked(text: str, column: int) -> None:
    """A number that is added to the statement has to be added here too."""
    checked = {match.span(1) for patterns in PROMISES.values() for match in re.finditer(str(patterns[column]), text)}
    plain = re.finditer(r"\d+(?:\.\d+)?(?![つ人])", text)  # one or two of something are words in Japanese
    assert [text[slice(*number.span())] for number in plain if number.span() not in checked] == []


def test_both_languages_say_the_same() -> None:
    assert re.findall(r"^#+", ENGLISH, re.M)[1:] == re.findall(r"^#+", JAPANESE, re.M)
    assert ENGLISH.count("\n|") == JAPANESE.count("\n|")
    commands = [sorted(set(re.findall(r"`(/[a-z ]+|egao [a-z ]+)`", half))) for half in (ENGLISH, JAPANESE)]
    assert commands[0] == commands[1]


def test_what_the_bot_says_agrees() -> None:
    for language, words in {"en": ("365|a year", "18", "24 hours", "30 days"), "ja": ("1年間", "18歳", "24時間", "30日")}.items():
        say = Speaker(language)
        shown = privacy(say, GUILD.retention_hours, checks=True, asks=False)
        assert all(re.search(word, shown) for word in words)
        assert say.hours(GUILD.retention_hours) in shown
        unchecked = privacy(say, GUILD.retention_hours, checks=False, asks=False)
        assert len(shown) - len(unchecked) == len(say("privacy.checks", age=18)) > 50
        asking = privacy(say, GUILD.retention_hours, checks=True, asks=True)
        assert say("privacy.pluralkit") in asking
        assert "PluralKit" not in shown, "without the setting it is asked nothing"
        assert str(CONSENT_VERSION) in shown
    assert TOLD == ADULT
    assert KEEP_SECONDS == DAY, "at most a day, says /privacy"
    assert (MEMBER_SECONDS, REPORT_SECONDS) == (365 * DAY, 30 * DAY)
