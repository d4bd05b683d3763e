"""What is shown while a photo is worked on, and what a server that wants spoilers shows."""

from __future__ import annotations

from pathlib import Path

from tests.bot.kit import gallery, labels, parts_of, running
from tests.bot.workbench import photo


async def test_progress_is_shown_while_it_is_worked_on(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        world.consent(world.ann)
        world.open()
        await world.ann.send(world.channel, attachments=[("me.png", photo(steps=20, seconds=0.02))])
        edits = [one.json for one in world.env.http_requests if one.method == "PATCH"]
        words = [str(edit) for edit in edits]
        assert any("█" in one and "preview.png" in one for one in words)
        assert any("Cancel" in one for one in words)
        assert "Cancel" not in labels(world.channel.last_message)


async def test_spoilers_if_the_admins_want_them(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        world.consent(world.ann)
        world.open()
        world.set(spoiler=True)
        await world.ann.send(world.channel, attachments=[("me.png", photo(steps=20, seconds=0.02))])
        assert all(item["spoiler"] for item in gallery(world.channel.last_message))
        edits = [str(one.json) for one in world.env.http_requests if one.method == "PATCH"]
        previews = [edit for edit in edits if "preview.png" in edit]
        assert previews
        assert all("'spoiler': True" in edit for edit in previews), "previews too"
        await world.ann.send(world.channel, attachments=[("us.png", photo(2, n=8))])
        thumbnails = [part["accessory"] for part in parts_of(world.channel.last_message) if part.get("type") == 9]
        assert [one["spoiler"] for one in thumbnails] == [True, True]
