"""The fake platform. `FakeDiscord` is the server; members act through their own methods.

async with FakeDiscord() as discord:
    guild = discord.guild("Studio")
    photos = guild.channel("photos")
    ann = guild.member("Ann", locale="ja")
    photo = ann.upload(photos, png)                          # acting is immediate ...
    reply = await photos.wait_message(replies_to(photo))     # ... and only waiting waits
"""

from tests.discord.fake.cdn import Cdn, Delivery
from tests.discord.fake.errors import ApiError, NotPossible
from tests.discord.fake.faults import Fault, Faults
from tests.discord.fake.guilds import Channel, Guild, Role, User
from tests.discord.fake.interactions import Interaction, Modal
from tests.discord.fake.members import Member
from tests.discord.fake.messages import Attachment, Message, Upload, replies_to
from tests.discord.fake.rest import Request
from tests.discord.fake.server import FakeDiscord
from tests.discord.fake.world import Rules, World

__all__ = [
    "ApiError",
    "Attachment",
    "Cdn",
    "Channel",
    "Delivery",
    "FakeDiscord",
    "Fault",
    "Faults",
    "Guild",
    "Interaction",
    "Member",
    "Message",
    "Modal",
    "NotPossible",
    "Request",
    "Role",
    "Rules",
    "Upload",
    "User",
    "World",
    "replies_to",
]
