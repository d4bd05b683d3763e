"""What egao keeps: faces, jobs, members, servers. One SQLite file, in which all data about a face is encrypted.

Every row has an owner, and rows can be erased by owner, by server and by message.
"""

from core.store.erasure import Erased, Expired
from core.store.face import FaceAndLatent, FaceCount, PhotoPlace, StoredFace
from core.store.guilds import GuildSettings
from core.store.job import Job, Recovered
from core.store.limits import Left
from core.store.members import Block, Member
from core.store.owner import Owner
from core.store.reports import Report
from core.store.store import Store, database_file

__all__ = [
    "Block",
    "Erased",
    "Expired",
    "FaceAndLatent",
    "FaceCount",
    "GuildSettings",
    "Job",
    "Left",
    "Member",
    "Owner",
    "PhotoPlace",
    "Recovered",
    "Report",
    "Store",
    "StoredFace",
    "database_file",
]
