"""Consent, blocks, server settings, limits and reports; all outlive a restart."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from core.errors import BadServerSetting, Blocked, ConsentNeeded, CoolingDown, EgaoError, QuotaSpent
from core.store import GuildSettings, Member, Owner, Store
from core.store.limits import in_words
from tests.core.store.kit import ALICE, BOB, DAY, HOUR, OTHER_SERVER, SERVER, Clock, rows, settings_at, traces

HERE = Owner(SERVER, ALICE)


@pytest.mark.parametrize("ids", [(SERVER, None), (0, ALICE), (None, 0)])
def test_an_owner_is_a_person_somewhere(ids: tuple[int | None, int | None]) -> None:
    with pytest.raises(ValueError):
        Owner(*ids)


def test_nothing_is_known_of_somebody_who_said_nothing(store: Store) -> None:
    assert store.members.get(ALICE) == Member(ALICE)
    with pytest.raises(ConsentNeeded):
        store.members.require(HERE, 1)
    assert rows(store, "members") == []


def test_consent_is_to_a_version_of_the_notice(store: Store, clock: Clock) -> None:
    store.members.consent(ALICE, 2, "ja")
    member = store.members.require(HERE, 2)
    assert (member.consent_version, member.consent_at, member.consent_locale) == (2, clock.at, "ja")
    assert store.members.require(Owner.direct(ALICE), 1) == member
    with pytest.raises(ConsentNeeded):
        store.members.require(HERE, 3)
    assert [store.members.has_consented(ALICE, version) for version in (1, 2, 3)] == [True, True, False]
    assert not store.members.has_consented(BOB, 1)


def test_preferences_and_consent_are_apart(store: Store) -> None:
    store.members.set_visibility(ALICE, "private")
    store.members.consent(ALICE, 1, "en")
    store.members.set_visibility(ALICE, None)
    member = store.members.get(ALICE)
    assert (member.visibility, member.consent_version) == (None, 1)
    store.members.set_visibility(ALICE, "private")
    assert store.members.consent(ALICE, 2, "en").visibility == "private"


def test_a_block_holds_where_it_was_made_and_after_a_restart(store: Store, tmp_path: Path) -> None:
    store.members.consent(ALICE, 1, "en")
    assert store.members.block(SERVER, ALICE)
    assert not store.members.block(SERVER, ALICE)
    store.close()
    with Store.open(settings_at(tmp_path)) as again:
        assert again.members.is_blocked(SERVER, ALICE)
        with pytest.raises(Blocked):
            again.members.require(HERE, 1)
        again.members.require(Owner(OTHER_SERVER, ALICE), 1)
        again.members.require(Owner.direct(ALICE), 1)
        assert again.members.unblock(SERVER, ALICE)
        assert not again.members.unblock(SERVER, ALICE)
        again.members.require(HERE, 1)


def test_a_block_of_everything_holds_everywhere(store: Store) -> None:
    store.members.consent(ALICE, 1, "en")
    store.members.block(None, ALICE)
    for owner in (HERE, Owner(OTHER_SERVER, ALICE), Owner.direct(ALICE)):
        with pytest.raises(Blocked):
            store.members.require(owner, 1)
    assert store.members.blocked(SERVER) == []
    assert [block.member_id for block in store.members.blocked(None)] == [ALICE]


def test_admins_see_whom_they_blocked_and_the_file_does_not_tell(store: Store, clock: Clock) -> None:
    store.members.block(SERVER, ALICE)
    clock.passes(1)
    store.members.block(SERVER, BOB)
    assert store.members.blocked(SERVER) == [(ALICE, clock.at - 1), (BOB, clock.at)]
    assert traces(store, {"alice": ALICE, "bob": BOB}) == set()


def test_defaults_are_the_careful_ones(store: Store) -> None:
    settings = store.guilds.get(SERVER)
    assert settings == store.guilds.get(None) == GuildSettings()
    assert (settings.channels, settings.whose_photos, settings.retention_hours) == ((), "own", 48)
    with pytest.raises(ValidationError):
        settings.spoiler = True


def test_settings_are_kept_one_by_one(store: Store, tmp_path: Path) -> None:
    store.guilds.set(SERVER, channels=[5, 6], strength_max="2.5", auto_replies=False)
    after = store.guilds.set(SERVER, language="ja", report_channel=9)
    store.close()
    with Store.open(settings_at(tmp_path)) as again:
        assert again.guilds.get(SERVER) == after
        assert again.guilds.all() == {SERVER: after}
        assert again.guilds.get(OTHER_SERVER) == GuildSettings()
    assert (after.channels, after.strength_max, after.auto_replies, after.language) == ((5, 6), 2.5, False, "ja")


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"strength_max": 5.1}, "strength_max"), ({"strength_max": float("nan")}, "strength_max"),
        ({"retention_hours": 0}, "retention_hours"), ({"retention_hours": 721}, "retention_hours"),
        ({"cooldown_seconds": -1}, "cooldown_seconds"), ({"daily_quota": "many"}, "daily_quota"),
        ({"queue_share": 0}, "queue_share"), ({"longest_wait_seconds": 29}, "longest_wait_seconds"),
        ({"whose_photos": "all"}, "whose_photos"), ({"language": "xx"}, "language"),
        ({"channels": [0]}, "channels"), ({"colour": "blue"}, "colour"),
    ],
)  # fmt: skip
def test_a_setting_that_cannot_be_is_refused_whole(store: Store, change: dict[str, Any], name: str) -> None:
    store.guilds.set(SERVER, spoiler=True)
    with pytest.raises(BadServerSetting) as caught:
        store.guilds.set(SERVER, **{"spoiler": False, **change})
    assert caught.value.facts["name"] == name
    assert store.guilds.get(SERVER) == GuildSettings(spoiler=True)


def test_bounds_are_those_that_are_checked(store: Store) -> None:
    numeric = (
        "strength_max", "cooldown_seconds", "daily_quota", "work_seconds", "queue_share", "longest_wait_seconds",
        "retention_hours",
    )  # fmt: skip
    for name in numeric:
        low, high = GuildSettings.bounds(name)
        assert [getattr(store.guilds.set(SERVER, **{name: value}), name) for value in (low, high)] == [low, high]
        for value in (low - 1, high + 1):
            with pytest.raises(BadServerSetting):
                store.guilds.set(SERVER, **{name: value})


def test_a_stored_value_of_another_version_falls_back_alone(store: Store) -> None:
    with store.database.writing() as db:
        kept = '{"whose_photos": "friends", "spoiler": true, "gone": 1}'
        db.table("guilds").insert({"guild_id": SERVER, "settings": kept, "changed": 0.0})
    assert store.guilds.get(SERVER) == GuildSettings(spoiler=True)


def test_a_pause_lies_between_two_uses(store: Store, clock: Clock) -> None:
    limits = GuildSettings(cooldown_seconds=10)
    store.limits.take(HERE, limits)
    clock.passes(7.5)
    with pytest.raises(CoolingDown) as caught:
        store.limits.take(HERE, limits)
    assert caught.value.facts == {"seconds": 3}
    store.limits.take(Owner(OTHER_SERVER, ALICE), limits)
    store.limits.take(Owner(SERVER, BOB), limits)
    clock.passes(2.5)
    store.limits.take(HERE, limits)


def test_a_quota_is_of_any_24_hours_and_says_when_it_frees_up(store: Store, clock: Clock, tmp_path: Path) -> None:
    limits = GuildSettings(daily_quota=2, cooldown_seconds=0)
    store.limits.take(HERE, limits)
    clock.passes(20 * HOUR + 1)
    store.limits.take(HERE, limits)
    store.close()
    with Store.open(settings_at(tmp_path), now=clock) as again:
        with pytest.raises(QuotaSpent) as caught:
            again.limits.take(HERE, limits)
        assert caught.value.facts == {"limit": 2, "wait": "4 h", "seconds": 4 * 3600 - 1}
        assert "free in 4 h" in str(caught.value)
        assert len(again.limits.times(HERE)) == 2, "a refusal is not a use"
        clock.passes(4 * HOUR)
        again.limits.take(HERE, limits)
        with pytest.raises(QuotaSpent):
            again.limits.take(HERE, limits)


def test_a_lowered_quota_waits_for_as_many_as_needed(store: Store, clock: Clock) -> None:
    for _ in range(4):
        store.limits.take(HERE, GuildSettings(cooldown_seconds=0))
        clock.passes(HOUR)
    with pytest.raises(QuotaSpent) as caught:
        store.limits.take(HERE, GuildSettings(daily_quota=2, cooldown_seconds=0))
    seconds = caught.value.facts["seconds"]
    assert isinstance(seconds, int | float)
    clock.passes(seconds)
    store.limits.take(HERE, GuildSettings(daily_quota=2, cooldown_seconds=0))


def test_a_clock_set_back_locks_nobody_out(store: Store, clock: Clock) -> None:
    limits = GuildSettings(cooldown_seconds=10)
    store.limits.take(HERE, limits)
    clock.passes(-30 * DAY)
    assert store.limits.left(HERE, limits).cooldown_seconds == 0, "how long ago it was is not known any more"
    clock.passes(31 * DAY)
    store.limits.take(HERE, limits)


def test_uses_at_the_same_moment_do_not_pass_the_limit(store: Store) -> None:
    limits = GuildSettings(daily_quota=5, cooldown_seconds=0)

    def take(_: int) -> bool:
        try:
            store.limits.take(HERE, limits)
        except QuotaSpent:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take, range(40))) == 5


def test_a_refund_gives_back_one_use(store: Store) -> None:
    limits = GuildSettings(cooldown_seconds=0, daily_quota=3)
    for job in (1, 2):
        store.limits.take(HERE, limits, job=job)
    assert store.limits.refund(1)
    assert not store.limits.refund(1)
    assert store.limits.left(HERE, limits).quota == 2


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "1 min"), (60, "1 min"), (61, "2 min"), (3600, "1 h"), (12_000, "3 h 20 min")]
)
def test_a_span_in_words(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


def test_reports_reach_their_server_only(store: Store) -> None:
    first = store.reports.add(SERVER, BOB, channel_id=1, message_id=2, reason="my face, 私の顔")
    store.reports.add(None, BOB, channel_id=None, message_id=None, reason="direct")
    [report] = store.reports.of(SERVER)
    assert (report.id, report.member_id, report.channel_id, report.reason) == (first, BOB, 1, "my face, 私の顔")
    assert not traces(store, {"reason": "my face"})
    assert not store.reports.close(OTHER_SERVER, first)
    assert (store.reports.count(SERVER), store.reports.count(None), store.reports.count(OTHER_SERVER)) == (1, 1, 0)
    assert store.reports.close(SERVER, first)
    assert store.reports.of(SERVER) == []


def test_every_error_of_the_store_is_a_sentence() -> None:
    facts = {"path": "p", "reason": "r", "found": "f", "source": "s", "name": "n", "value": "v"}
    names = ("StoreBusy", "StoreUnwritable", "StoreDamaged", "StoreNewer", "StoreInUse", "BackupUnfit", "WrongKey", "KeyExposed")
    kinds = {kind.__name__: kind for base in EgaoError.__subclasses__() for kind in base.__subclasses__()}
    for name in (*names, "BadServerSetting"):
        assert str(kinds[name](**facts)).endswith((".", "FILE", "p"))
