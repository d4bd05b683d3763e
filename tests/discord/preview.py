"""Draws what a member sees: a conversation with the real bot, as a page in the manner of Discord's dark theme.

    python -m tests.discord.preview data/readme/conversation.jpg     # needs chromium

The photo is a generated face. Its latent is known, so it is put into the store instead of being projected for a minute;
everything else on the picture is what the bot's process posted.
"""

from __future__ import annotations

import asyncio
import base64
import html
import io
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image, ImageChops

from tests.discord.fake import Attachment, Message
from tests.discord.stage import WORKING, answered, staged, until_shown
from tests.discord.stored import editor_in, home_settings, keep, known_face

SEED, WIDTH, SCALE = 600, 900, 1
MOST_BYTES = 300_000
STYLES = {1: "#5865f2", 2: "#45464f", 3: "#2e8a4d", 4: "#d83c3e"}  # of buttons
CSS = """
*{box-sizing:border-box;margin:0} body{width:900px;background:#313338;color:#dbdee1;padding:18px 22px;
font:16px/1.4 'gg sans','Noto Sans','Liberation Sans',sans-serif} .m{display:flex;gap:16px;margin:0 0 20px}
.a{width:42px;height:42px;border-radius:50%;flex:none;display:flex;align-items:center;justify-content:center;
font-weight:600;font-size:19px;color:#fff} .b{min-width:0;flex:1} .n{font-weight:600;color:#f2f3f5}
.t{font-size:12px;color:#949ba4;margin-left:6px;font-weight:400} .tag{background:#5865f2;color:#fff;font-size:10px;
border-radius:4px;padding:1px 5px;margin-left:5px;vertical-align:2px} .r{font-size:13px;color:#b5bac1;margin-bottom:3px}
.box{background:#2b2d31;border:1px solid #3f4147;border-left:4px solid #f2b134;border-radius:8px;padding:14px;margin-top:6px}
.g{display:grid;gap:4px;border-radius:8px;overflow:hidden} .g img{width:100%;display:block;aspect-ratio:1;object-fit:cover}
h3{font-size:19px;color:#f2f3f5;margin:8px 0 2px} .s{font-size:13px;color:#949ba4} code{background:#1e1f22;border-radius:4px;
padding:1px 4px;font-size:.88em} .row{display:flex;gap:8px;margin-top:8px;flex-wrap:wrap} .btn{color:#fff;border-radius:8px;
padding:6px 14px;font-size:14px;font-weight:500} .p{max-width:230px;border-radius:8px;margin-top:4px;display:block}
.at{background:#3c4270;color:#c9cdfb;border-radius:3px;padding:0 2px} b{color:#f2f3f5}
"""


async def converse(home: Path) -> list[str]:
    """Have the conversation; the messages as HTML."""
    settings = home_settings(home)
    editor = editor_in(settings)
    known = await asyncio.to_thread(known_face, editor, SEED)
    editor.models.finder.close()
    async with staged(home, EGAO_CACHE=str(settings.cache)) as stage:
        member = stage.guild.member("Hana")
        await stage.open(cooldown_seconds="0")
        await keep(settings, known, [member])
        posted = member.upload(stage.photos, known.photo, content="how would I look more serious, and laughing?")
        reply = await stage.photos.wait_message(lambda m: m.reference is posted, WORKING)
        await until_shown(stage.discord, reply)
        command = member.slash("smile", stage.photos, strength=1.5)
        second = await answered(command)
        return [_message(posted), _message(reply), _message(second, used="/smile 1.5")]


def _message(message: Message, used: str = "") -> str:
    name = message.author.name
    colour, initial = ("#f2b134", "e") if message.author.bot else ("#5b8def", name[0])
    top = ""
    if message.reference is not None:
        top = f"<div class=r>↰ <b>{message.reference.author.name}</b> {html.escape(message.reference.content)}</div>"
    elif used and message.interaction is not None:
        top = f"<div class=r>↰ <b>{message.interaction.user.name}</b> used <span class=at>{used}</span></div>"
    tag = "<span class=tag>APP</span>" if message.author.bot else ""
    head = f"<span class=n>{name}</span>{tag}<span class=t>January 1, 2:0{2 if message.author.bot else 1} PM</span>"
    body = html.escape(message.content) + "".join(_part(part, message) for part in message.components)
    if not message.components:
        body += "".join(f"<img class=p src='{_source(one, 460)}'>" for one in message.pictures)
    avatar = f"<div class=a style='background:{colour}'>{initial}</div>"
    return f"<div class=m>{avatar}<div class=b>{top}{head}<div>{body}</div></div></div>"


def _part(part: dict[str, Any], message: Message) -> str:
    inner = "".join(_part(one, message) for one in part.get("components", ()))
    match part["type"]:
        case 17:
            return f"<div class=box>{inner}</div>"
        case 1:
            return f"<div class=row>{inner}</div>"
        case 2:
            return f"<span class=btn style='background:{STYLES[part.get('style', 2)]}'>{html.escape(part['label'])}</span>"
        case 10:
            return "".join(_line(line, message) for line in part["content"].splitlines())
        case 12:
            by_id = {str(one.id): one for one in message.attachments}
            found = [by_id[item["media"]["attachment_id"]] for item in part["items"]]
            images = "".join(f"<img src='{_source(one)}'>" for one in found)
            return f"<div class=g style='grid-template-columns:repeat({len(found)},1fr)'>{images}</div>"
    return inner


def _line(line: str, message: Message) -> str:
    text = html.escape(line)
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", re.sub(r"\*\*([^*]+)\*\*", r"<b>\1</b>", text))
    text = re.sub(r"&lt;t:\d+:f&gt;", "<code>January 3 2:02 PM</code>", text)
    text = re.sub(r"&lt;@(\d+)&gt;", lambda m: f"<span class=at>@{message.world.users[int(m[1])].name}</span>", text)
    if text.startswith("### "):
        return f"<h3>{text[4:]}</h3>"
    return f"<div class=s>{text[3:]}</div>" if text.startswith("-# ") else f"<div>{text}</div>"


def _source(attachment: Attachment, side: int = 640) -> str:
    image = Image.open(io.BytesIO(attachment.data)).convert("RGB")
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    image.save(out, "png")
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


def photograph(page: str, target: Path, folder: Path) -> None:
    """The page as a JPEG, cut where the conversation ends."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        raise SystemExit("chromium is needed")
    source, shot = folder / "page.html", folder / "page.png"
    source.write_text(f"<!doctype html><meta charset=utf-8><style>{CSS}</style>{page}")
    quiet = "--disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update "
    quiet += "--disable-sync"
    subprocess.run(
        [browser, "--headless", "--no-sandbox", *quiet.split(), f"--user-data-dir={folder / 'profile'}", "--hide-scrollbars",
         f"--window-size={WIDTH},2400", f"--force-device-scale-factor={SCALE}", f"--screenshot={shot}", source.as_uri()],
        check=True, timeout=120, capture_output=True,
    )  # fmt: skip
    image = Image.open(shot).convert("RGB")
    ground = Image.new("RGB", image.size, image.getpixel((2, image.height - 2)))
    box = ImageChops.difference(image, ground).getbbox()
    image = image.crop((0, 0, image.width, min(image.height, (box[3] if box else image.height) + 18)))
    target.parent.mkdir(parents=True, exist_ok=True)
    for quality in range(90, 40, -5):
        image.save(target, "jpeg", quality=quality, optimize=True)
        if target.stat().st_size < MOST_BYTES:
            break


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        home.mkdir()
        photograph("".join(asyncio.run(converse(home))), Path(sys.argv[1]), Path(folder))


if __name__ == "__main__":
    main()
