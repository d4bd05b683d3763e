"""Faces that are kept already, put into a bot's home before it starts: a generated face, whose latent is known."""

from __future__ import annotations

import asyncio
import hashlib
import io
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from bot.text.privacy import CONSENT_VERSION
from bot.transport.photo_source import PhotoRef
from core.edit import Editor, KnownFace, Models, PhotoEditor
from core.expressions import default
from core.generator import seed_w
from core.latents import from_npz, to_npz
from core.learned import Learned
from core.methods import DEFAULT_METHOD
from core.pictures import encode
from core.settings import Settings
from core.store import Owner, Store
from core.weights.manifest import load_manifest
from tests.discord.fake import Channel, Member


@dataclass(frozen=True)
class Known:
    """A photo and what projecting it would give."""

    photo: bytes  # a file as a member uploads it
    latent: bytes
    aligned: bytes  # an encoded picture of the face
    learned: Learned  # its scale and, within a photo, where the face is


def known_face(editor: Editor, seed: int, truncation: float = 0.7) -> Known:
    """The face of a seed as a photo of its own."""
    generator = editor.models.generator
    ws = np.asarray(generator.broadcast(seed_w(generator, [seed], truncation)).numpy().copy())
    pixels = editor.reconstructed(ws)
    face = PhotoEditor(editor).learn(KnownFace(ws), default(), pixels)
    return Known(_photo(pixels), to_npz(ws), encode(pixels, "jpeg"), face.learned)


def within(editor: Editor, known: Known, size: tuple[int, int], side: int) -> Known:
    """The same face as a part of a photo of that size, `side` pixels of it the face's square."""
    face = Image.open(io.BytesIO(known.photo))
    photo = face.resize(size).filter(ImageFilter.GaussianBlur(60))
    photo.paste(face.resize((side, side), Image.Resampling.LANCZOS), ((size[0] - side) // 2, (size[1] - side) // 2))
    data = _photo(np.asarray(photo))
    asked = Editor(editor.models, strangers=True)  # as the bot's workers look
    (there,) = asked.look(data)[1]
    found = asked.found(there, from_npz(known.latent, editor.models.generator)).dump()
    return replace(known, photo=data, learned=replace(known.learned, found=found))


def _photo(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "jpeg", quality=92)
    return out.getvalue()


def variant_of(photo: bytes, number: int) -> bytes:
    """Another file that shows the same: JPEG readers stop at the end of the picture."""
    return photo + number.to_bytes(8, "big")


async def keep(
    settings: Settings, known: Known, members: Sequence[Member], copies: int = 1, album: Mapping[Member, Channel] | None = None
) -> dict[Member, list[int]]:
    """Have every member's consent and `copies` faces of theirs in the store; the faces' ids, by member.

    With an `album`, channels that the bot does not watch, the photos are posted there, each another file, and the bot is
    told where; else they are nowhere to be had.
    """
    posted: dict[tuple[Member, int], tuple[bytes, PhotoRef]] = {}
    if album is not None:
        for member, copy in itertools.product(members, range(copies)):
            photo = variant_of(known.photo, len(posted))
            message = member.upload(album[member], photo)
            (file,) = message.attachments
            url = message.world.cdn.url(file)
            posted[member, copy] = photo, PhotoRef(url, file.size, file.id, message.channel.id, message.id)

    def fill() -> dict[Member, list[int]]:
        generator = load_manifest().generator_digest
        ids: dict[Member, list[int]] = {}
        with Store.open(settings) as store:
            for member in members:
                owner = Owner(member.guild.id, member.id)
                store.members.consent(member.id, CONSENT_VERSION, member.user.locale)
                for copy in range(copies):
                    place = None
                    if (member, copy) in posted:
                        photo, place = posted[member, copy]
                    else:
                        photo = variant_of(known.photo, copy) if copy else known.photo
                    face = store.faces.add(
                        owner, photo_sha256=hashlib.sha256(photo).hexdigest(), face=0, box=(0, 0, 1024, 1024), quad=(),
                        latent=known.latent, thumbnail=known.aligned, generator=generator, method=DEFAULT_METHOD,
                        source=place, learned=known.learned,
                    )  # fmt: skip
                    ids.setdefault(member, []).append(face.id)
        return ids

    return await asyncio.to_thread(fill)


def editor_in(settings: Settings) -> Editor:
    """An editor of the process's own."""
    return Editor(Models(settings))


def home_settings(home: Path, **environ: str) -> Settings:
    """Settings for a bot that lives in `home`, with this machine's weights."""
    return Settings.load({"EGAO_HOME": str(home), "EGAO_CACHE": str(Settings.load().cache), "EGAO_DEVICE": "cpu", **environ})
