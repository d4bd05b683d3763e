"""The errors that a person may be told, in one tree. Each class has the sentence to show, with what to do next.

EgaoError
├── InternalError         a mistake in the code, here or in a worker: the log has it, a person is told only that
├── PhotoError            UnreadablePhoto, PhotoTooLarge, NoFace, FaceTooSmall, FaceTurnedAway, MouthHidden, MouthCut,
│                         MouthAtEdge, NoSuchFace, NoPhoto, PhotoGone, PhotoUnreachable, PhotoStoppedWorker,
│                         ExplicitPhoto, WebhookPhoto, ForwardedPhoto, PhotoRefused (LooksExplicit, LooksYoung, FaceBarred)
├── WeightsError          WeightsMissing, WeightsOffline, WeightsCorrupt, WeightsUnfit, ModelUnreadable, DiskFull, NotCompiled,
│                         NoSuchGenerator, GeneratorLacks, PartMissing, ModelRefused
├── LatentError           LatentUnreadable, LatentOfAnotherModel, NoSuchDirection, NoSuchExpression, FaceLost (NoFaceDrawn),
│                         FaceRefused, NoSuchStoredFace, NothingStored
├── ResultError           NotWhole, NotReached
├── WouldOverwrite        a file is there already
├── SettingsError         BadSetting, BadServerSetting, BadSeeds, ExtraMissing
├── StoreError            StoreBusy, StoreUnwritable, StoreDamaged, StoreNewer, StoreInUse, BackupUnfit, WrongKey, KeyExposed
├── JobError              QueueFull (OwnShareFull, ServerShareFull, WaitTooLong), JobCancelled, JobTimedOut, WorkerDied,
│                         ShuttingDown, StillBusy
└── AccessError           ConsentNeeded, Blocked, QuotaSpent, QuotaTooSmall, CoolingDown, WorkSpent, ServerWorkSpent,
                          ExportedLately, NotYours, OwnPicture, StrengthOverLimit, NotYourPhoto, PhotoOwnerUnasked,
                          RoleNeeded, AdminsOnly, ServerOnly

`sentence` is an English template that the keyword facts fill. Other languages look their template up under `code` (the
class's name) and fill it with the same facts, so no code ever parses a sentence. Only code and facts of an error are
kept or sent; `revive` makes it again from them.
"""

from __future__ import annotations

from core.error import EgaoError as EgaoError
from core.error import InternalError as InternalError
from core.error import revive as revive
from core.model_errors import DiskFull as DiskFull
from core.model_errors import GeneratorLacks as GeneratorLacks
from core.model_errors import ModelRefused as ModelRefused
from core.model_errors import ModelUnreadable as ModelUnreadable
from core.model_errors import NoSuchGenerator as NoSuchGenerator
from core.model_errors import NotCompiled as NotCompiled
from core.model_errors import PartMissing as PartMissing
from core.model_errors import WeightsCorrupt as WeightsCorrupt
from core.model_errors import WeightsError as WeightsError
from core.model_errors import WeightsMissing as WeightsMissing
from core.model_errors import WeightsOffline as WeightsOffline
from core.model_errors import WeightsUnfit as WeightsUnfit


class PhotoError(EgaoError):
    """The photo cannot be used as it is."""


class UnreadablePhoto(PhotoError):
    sentence = "This file can't be read as a photo ({reason}). Send a JPEG, PNG, WebP, GIF, AVIF or HEIC picture."


class PhotoTooLarge(PhotoError):
    sentence = "This photo is too large ({size}; at most {limit}). Send a smaller copy."


class NoFace(PhotoError):
    sentence = "No face was found in this photo. It must be seen from the front, with eyes, nose and mouth uncovered."


class FaceTooSmall(PhotoError):
    sentence = "The face is too small ({pixels} pixels across; at least {limit} are needed). Send a closer photo."


class FaceTurnedAway(PhotoError):
    sentence = "The face is turned too far away ({degrees} degrees; at most {limit}). Send one seen from the front."


class MouthHidden(PhotoError):
    sentence = (
        "Something lies before the mouth, and nobody can tell how it would move behind it. "
        "Send a photo in which the whole mouth is seen."
    )


class MouthCut(PhotoError):
    sentence = "The photo ends in the middle of the mouth. Send one in which the whole mouth is seen."


class MouthAtEdge(PhotoError):
    sentence = (
        "The head is turned so far that the mouth lies at the edge of the face, where an edit would tear it. "
        "Send a photo turned by less than about 25 degrees."
    )


class NoSuchFace(PhotoError):
    sentence = "There is no face number {face}: this photo has {count}, numbered from the left. Choose another number."


class NoPhoto(PhotoError):
    sentence = "There is no photo in that message. Attach a JPEG, PNG, WebP, GIF, AVIF or HEIC picture."


class PhotoGone(PhotoError):
    sentence = "The photo can't be read any more: its message was deleted or its link ran out. Send it again."


class PhotoUnreachable(PhotoError):
    sentence = "The photo could not be fetched ({reason}). Try again in a moment."


class ExplicitPhoto(PhotoError):
    sentence = "This picture is marked as explicit, and egao does not work on such pictures. Send another one."


class WebhookPhoto(PhotoError):
    sentence = (
        "A webhook posted that photo, as PluralKit does, and Discord doesn't tell for whom, so egao can't know whether you may "
        "use it. Give the photo to a command yourself, or send it to egao in a direct message."
    )


class ForwardedPhoto(PhotoError):
    sentence = (
        "That photo was forwarded from a place that egao can't see, so it can't know whose it is. If it is yours, send the "
        "photo itself, or give it to a command."
    )


class NoAvatar(PhotoError):
    sentence = "You have no avatar of your own here, so there is nothing to edit. Send a photo with a face in it instead."


class NotYourAvatar(PhotoError):
    sentence = "egao edits only your own avatar. Of somebody else's photo, use the menu of the message that it stands in."


class PhotoStoppedWorker(PhotoError):
    sentence = (
        "A short while ago this very photo stopped the image worker, so it is left alone for {minutes} minutes. "
        "Send another photo, or a smaller copy of it."
    )


class PhotoRefused(PhotoError):
    sentence = "egao leaves this photo alone. Nothing of it was kept; send another photo."


class LooksExplicit(PhotoRefused):
    sentence = (
        "An automatic check could not tell for certain that this photo is not explicit, so egao leaves it alone. "
        "Such checks are often wrong. Nothing of it was kept; send another photo."
    )


class LooksYoung(PhotoRefused):
    sentence = (
        "egao works on adults only, and an automatic estimate could not tell for certain that everyone in this photo is "
        "at least {age}. Such estimates are often wrong. Nothing of it was kept; send another photo."
    )


class FaceBarred(PhotoRefused):
    sentence = "egao leaves face number {face} of this photo alone. Nothing of it was kept; choose another one."


class LatentError(EgaoError):
    """A stored face or a direction cannot be used."""


class LatentUnreadable(LatentError):
    sentence = "{file} is not a latent file ({reason}). A latent is an .npz with an array w of shape [1, num_ws, 512]."


class LatentOfAnotherModel(LatentError):
    sentence = "This latent has {found} styles, the generator takes {expected}. Project the photo again with this generator."


class NoSuchDirection(LatentError):
    sentence = "There is no direction called {name}. There are: {known}."


class NoSuchExpression(LatentError):
    sentence = "There is no expression called {name}. There are: {known}."


class FaceLost(LatentError):
    sentence = "At strength {strength} the picture stops being a face. Choose a strength nearer to 0."


class NoFaceDrawn(FaceLost):
    sentence = (
        "The generator's picture of this face shows no face, so there is nothing to edit. "
        "Send a photo in which the face is seen from the front."
    )


class FaceRefused(LatentError):
    sentence = (
        "The checks of photos have changed since this face was kept, and it does not pass them, so egao leaves it alone. "
        "It is erased when its time is over; send another photo."
    )


class NoSuchStoredFace(LatentError):
    sentence = "There is no stored face {face}. Send the photo again, or list what is kept: egao faces list"


class NothingStored(LatentError):
    sentence = "No face of yours is kept here yet. Add a photo to the command, or send one."


class ResultError(EgaoError):
    """A picture was made but is not good enough to be sent."""


class NotWhole(ResultError):
    sentence = (
        "At strength {strength} the mouth of this face did not come out whole, so there is no picture of it. "
        "Try a strength nearer to 0, or a photo in which the face is seen from the front."
    )


class NotReached(ResultError):
    sentence = (
        "At strength {strength} this face hardly changed, so there is no picture of it. "
        "Try a higher strength, or a photo in which the mouth is seen better."
    )


class WouldOverwrite(EgaoError):
    sentence = "{file} is there already and is left as it is. Choose another folder with -o, or write over it with --force."


class SettingsError(EgaoError):
    """The configuration cannot be used."""


class BadSetting(SettingsError):
    sentence = "The setting {name} is not usable ({reason}). Correct it in .env or in the environment."


class BadServerSetting(SettingsError):
    sentence = "{name} can't be {value} ({reason})."


class BadSeeds(SettingsError):
    sentence = "These seeds can't be used: {reason}."


class ExtraMissing(SettingsError):
    sentence = "This measurement needs {module}, which is not installed. Run: pip install egao[eval]"


class ClusterExtraMissing(SettingsError):
    sentence = "A cluster needs Ray, which is not installed. Run: pip install egao[cluster]"


class ClusterUnreachable(SettingsError):
    sentence = (
        "No head of a cluster answers at {address}. Start it there with `egao worker --head`, and see that both machines have "
        "the same cluster.key and that no firewall is between them."
    )


class NodeRefused(SettingsError):
    sentence = "This machine can't work for the cluster at {address}: {reason}."


class StoreError(EgaoError):
    """The store of faces, jobs and settings cannot be used as it is."""


class StoreBusy(StoreError):
    sentence = "The store at {path} is held by another process. Try again in a moment; if it goes on, end that process."


class StoreUnwritable(StoreError):
    sentence = "The store at {path} can't be written ({reason}). Free some space, or set EGAO_HOME to another disk."


class StoreDamaged(StoreError):
    sentence = "The store at {path} is damaged ({reason}). Put a backup back: egao db restore FILE"


class StoreNewer(StoreError):
    sentence = "The store at {path} was written by a newer egao ({found}). Update egao, or put an older backup back."


class StoreInUse(StoreError):
    sentence = "egao is running on {path}. Stop it first, then try again."


class BackupUnfit(StoreError):
    sentence = "The backup {path} can't be used ({reason}). Choose another file."


class WrongKey(StoreError):
    sentence = "The store at {path} is encrypted with another key than {source}. Put that key back: else nothing can be read."


class KeyExposed(StoreError):
    sentence = "The key file {path} can be read by other users of this machine. Run: chmod 600 {path}"


class JobError(EgaoError):
    """The work was not done, for a reason other than the photo."""


class QueueFull(JobError):
    """Too much work of all members together is waiting. Subclasses name other causes."""

    sentence = "There is too much waiting just now. Try again in about {seconds} seconds."


class OwnShareFull(QueueFull):
    sentence = "You have as much waiting here as one member may. Try again in about {seconds} seconds."


class ServerShareFull(QueueFull):
    sentence = "This server has as much waiting as one server may. Try again in about {seconds} seconds."


class WaitTooLong(QueueFull):
    sentence = "It would take too long until your turn. Try again in about {seconds} seconds."


class JobCancelled(JobError):
    sentence = "The work was cancelled. Nothing was kept of it."


class JobTimedOut(JobError):
    sentence = "This took longer than {seconds} seconds and was stopped. Try again."


class WorkerDied(JobError):
    sentence = "The image worker stopped in the middle of this. It is starting again: please try once more."


class ShuttingDown(JobError):
    sentence = "egao is restarting. Try again in a minute."


class StillBusy(JobError):
    sentence = "One moment: the last change to this picture is still being drawn."


class AccessError(EgaoError):
    """This person may not do this, or not yet."""


class ConsentNeeded(AccessError):
    sentence = "Before the first photo egao needs your consent. Read the notice and press the button."


class Blocked(AccessError):
    sentence = "You can't use egao on this server. If you think that is a mistake, ask its admins."


class QuotaSpent(AccessError):
    sentence = "You have used all {limit} edits of today. The next one is free in {wait}."


class CoolingDown(AccessError):
    sentence = "One moment: the next edit is possible in {seconds} seconds."


class QuotaTooSmall(AccessError):
    sentence = "That would be {count} edits, and you have {left} left of today's {limit}. Choose a single face."


class WorkSpent(AccessError):
    sentence = (
        "You have had {limit} seconds of the image worker's time in the last {minutes} minutes, which is what one member may. "
        "Try again in about {seconds} seconds."
    )


class ServerWorkSpent(AccessError):
    sentence = (
        "This server has had {limit} seconds of the image worker's time in the last {minutes} minutes, which is what one "
        "server may. Try again in about {seconds} seconds."
    )


class ExportedLately(AccessError):
    sentence = "You had your copy a short while ago. You can have the next one in about {seconds} seconds."


class NotYours(AccessError):
    sentence = "Only the person who asked for this picture can do that."


class StrengthOverLimit(AccessError):
    sentence = "The strength must be between {low} and {high} on this server."


class OwnPicture(AccessError):
    sentence = "That is a picture of egao's own. Use the buttons under it, or choose the message with the photo."


class NotYourPhoto(AccessError):
    sentence = "Here egao only works on photos that you posted yourself."


class PhotoOwnerUnasked(AccessError):
    sentence = "The person who posted that photo has not agreed to egao, so it can't be used here."


class RoleNeeded(AccessError):
    sentence = "On this server only members with certain roles may use egao. Ask its admins."


class AdminsOnly(AccessError):
    sentence = "Only members who may manage this server can do that."


class ServerOnly(AccessError):
    sentence = "This works only on a server, not in a direct message."
