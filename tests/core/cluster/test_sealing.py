"""What two sides seal opens on the other side alone, whole, once and in order."""

from __future__ import annotations

import pytest

from core.cluster.sealing import NotSealed, Opener, Sealer, Side

SECRET, OTHER = b"s" * 32, b"o" * 32


def pair(bots: bytes = SECRET, nodes: bytes = SECRET) -> tuple[tuple[Sealer, Opener], tuple[Sealer, Opener]]:
    bot, node = Side(bots, bot=True), Side(nodes, bot=False)
    return bot.meet(node.public), node.meet(bot.public)


def test_each_hears_the_other() -> None:
    (bot_seals, bot_opens), (node_seals, node_opens) = pair()
    for words in (b"", b"a", b"photo" * 1000):
        assert node_opens.open(bot_seals.seal(words)) == words
        assert bot_opens.open(node_seals.seal(words)) == words


def test_what_is_sealed_shows_nothing_and_never_the_same() -> None:
    (bot_seals, _), _ = pair()
    first, second = bot_seals.seal(b"photo" * 9), bot_seals.seal(b"photo" * 9)
    assert b"photo" not in first
    assert first != second
    assert pair()[0][0].seal(b"photo" * 9) != first  # each link has keys of its own


def test_without_the_secret_nobody_takes_a_side() -> None:
    (bot_seals, _), (_, node_opens) = pair(SECRET, OTHER)
    with pytest.raises(NotSealed):
        node_opens.open(bot_seals.seal(b"photo"))


@pytest.mark.parametrize("trouble", ["changed", "cut", "repeated", "left out", "sent back", "empty"])
def test_a_record_that_is_not_the_next_does_not_open(trouble: str) -> None:
    (bot_seals, bot_opens), (_, node_opens) = pair()
    first, second = bot_seals.seal(b"one"), bot_seals.seal(b"two")
    if trouble == "repeated":
        assert node_opens.open(first) == b"one"
    wrong = {"changed": first[:-1] + bytes([first[-1] ^ 1]), "cut": first[:-1], "repeated": first, "left out": second}
    wrong |= {"sent back": first, "empty": b""}
    with pytest.raises(NotSealed):
        (bot_opens if trouble == "sent back" else node_opens).open(wrong[trouble])


@pytest.mark.parametrize("public", [b"", b"\0" * 32, b"x" * 31])
def test_what_is_no_public_key_is_refused(public: bytes) -> None:
    with pytest.raises(NotSealed):
        Side(SECRET, bot=True).meet(public)
