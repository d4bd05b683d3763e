"""The errors that a person may be told, in one tree. Each class has the sentence to show, with what to do next.

EgaoError
├── InternalError         a mistake in the code, here or in a worker: the log has it, a person is told only that
├── PhotoError            UnreadablePhoto, PhotoTooLarge (FileTooLarge, TooManyPixels, PixelsBeyond, PixelsUncounted,
│                         SideTooLong, LargerThanTold, FilmTooLong, FilmTooSlow), NoFace, FaceTooSmall, FaceTurnedAway,
│                         MouthHidden, MouthCut, MouthAtEdge, NoSuchFace, NoPhoto, PhotoGone,
│                         PhotoUnreachable (PhotoNotServed), PhotoStoppedWorker, ExplicitPhoto, WebhookPhoto, ForwardedPhoto,
│                         PhotoRefused (LooksExplicit, LooksYoung, FaceBarred)
├── WeightsError          WeightsMissing, WeightsOffline, WeightsCorrupt, WeightsUnfit, ModelUnreadable, DiskFull, NotCompiled,
│                         NoSuchGenerator, GeneratorLacks, PartMissing, ModelRefused
├── LatentError           LatentUnreadable, LatentOfAnotherModel, GeneratorChanged, NoSuchDirection, NoSuchExpression,
│                         FaceLost (NoFaceDrawn), FaceRefused, NoSuchStoredFace, NothingStored
├── ResultError           NotWhole, EyesShut, NotReached
├── WouldOverwrite        a file is there already
├── SettingsError         BadSetting (BadOption), BadServerSetting, BadSeeds, ExtraMissing
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

from core.errors.base import EgaoError as EgaoError
from core.errors.base import InternalError as InternalError
from core.errors.base import revive as revive
from core.errors.model import DiskFull as DiskFull
from core.errors.model import GeneratorLacks as GeneratorLacks
from core.errors.model import ModelRefused as ModelRefused
from core.errors.model import ModelUnreadable as ModelUnreadable
from core.errors.model import NoSuchGenerator as NoSuchGenerator
from core.errors.model import NotCompiled as NotCompiled
from core.errors.model import PartMissing as PartMissing
from core.errors.model import WeightsCorrupt as WeightsCorrupt
from core.errors.model import WeightsError as WeightsError
from core.errors.model import WeightsMissing as WeightsMissing
from core.errors.model import WeightsOffline as WeightsOffline
from core.errors.model import WeightsUnfit as WeightsUnfit
from core.errors.photo import ExplicitPhoto as ExplicitPhoto
from core.errors.photo import FaceBarred as FaceBarred
from core.errors.photo import FaceTooSmall as FaceTooSmall
from core.errors.photo import FaceTurnedAway as FaceTurnedAway
from core.errors.photo import FileTooLarge as FileTooLarge
from core.errors.photo import FilmTooLong as FilmTooLong
from core.errors.photo import FilmTooSlow as FilmTooSlow
from core.errors.photo import ForwardedPhoto as ForwardedPhoto
from core.errors.photo import LargerThanTold as LargerThanTold
from core.errors.photo import LooksExplicit as LooksExplicit
from core.errors.photo import LooksYoung as LooksYoung
from core.errors.photo import MouthAtEdge as MouthAtEdge
from core.errors.photo import MouthCut as MouthCut
from core.errors.photo import MouthHidden as MouthHidden
from core.errors.photo import NoAvatar as NoAvatar
from core.errors.photo import NoFace as NoFace
from core.errors.photo import NoPhoto as NoPhoto
from core.errors.photo import NoSuchFace as NoSuchFace
from core.errors.photo import NotYourAvatar as NotYourAvatar
from core.errors.photo import PhotoError as PhotoError
from core.errors.photo import PhotoGone as PhotoGone
from core.errors.photo import PhotoNotServed as PhotoNotServed
from core.errors.photo import PhotoRefused as PhotoRefused
from core.errors.photo import PhotoStoppedWorker as PhotoStoppedWorker
from core.errors.photo import PhotoTooLarge as PhotoTooLarge
from core.errors.photo import PhotoUnreachable as PhotoUnreachable
from core.errors.photo import PixelsBeyond as PixelsBeyond
from core.errors.photo import PixelsUncounted as PixelsUncounted
from core.errors.photo import Reason as Reason
from core.errors.photo import SideTooLong as SideTooLong
from core.errors.photo import TooManyPixels as TooManyPixels
from core.errors.photo import UnreadablePhoto as UnreadablePhoto
from core.errors.photo import WebhookPhoto as WebhookPhoto


class LatentError(EgaoError):
    """A stored face or a direction cannot be used."""


class LatentUnreadable(LatentError):
    sentence = "{file} is not a latent file ({reason}). A latent is an .npz with an array w of shape [1, num_ws, 512]."


class LatentOfAnotherModel(LatentError):
    sentence = "This latent has {found} styles, the generator takes {expected}. Project the photo again with this generator."


class GeneratorChanged(LatentError):
    sentence = (
        "This face was kept for another face generator than the one that draws here now, and it can't be carried over: its photo "
        "is not there any more. Send the photo again."
    )


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
        "It will be erased when its time is up; send another photo."
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


class EyesShut(ResultError):
    sentence = (
        "Strength {strength} would open eyes that are shut in this photo, or nearly so, and it does not show what they look "
        "like, so there is no picture of it. Try a strength nearer to 0, or a photo with open eyes."
    )


class NotReached(ResultError):
    sentence = (
        "At strength {strength} this face hardly changed, so there is no picture of it. "
        "Try a higher strength, or a photo in which the face is seen better."
    )


class WouldOverwrite(EgaoError):
    sentence = "{file} is there already and is left as it is. Choose another folder with -o, or write over it with --force."


class SettingsError(EgaoError):
    """The configuration cannot be used."""


class BadSetting(SettingsError):
    sentence = "The setting {name} is not usable ({reason}). Correct it in .env or in the environment."


class BadOption(BadSetting):
    """What stands on a command line is wrong; `name` is the option or the argument."""

    sentence = "{name} is not usable as given ({reason})."


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

    of_workers = False  # they have no store


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
    sentence = "The store at {path} is encrypted with another key than {source}. Put that key back, or nothing can be read."


class KeyExposed(StoreError):
    sentence = "The key file {path} can be read by other users of this machine. Run: chmod 600 {path}"


class JobError(EgaoError):
    """The work was not done, for a reason other than the photo."""


class QueueFull(JobError):
    """Too much work of all members together is waiting. Subclasses name other causes."""

    sentence = "There is too much waiting just now. Try again in about {seconds} seconds."


class OwnShareFull(QueueFull):
    sentence = "You have as much waiting here as one member may have. Try again in about {seconds} seconds."


class ServerShareFull(QueueFull):
    sentence = "This server has as much waiting as one server may have. Try again in about {seconds} seconds."


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

    of_workers = False  # they know no person, and one that was taken over must not ask anybody for consent


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
        "You have had {limit} seconds of the image worker's time in the last {minutes} minutes, which is the most "
        "that one member may have. Try again in about {seconds} seconds."
    )


class ServerWorkSpent(AccessError):
    sentence = (
        "This server has had {limit} seconds of the image worker's time in the last {minutes} minutes, which is the most "
        "that one server may have. Try again in about {seconds} seconds."
    )


class ExportedLately(AccessError):
    sentence = "You had your copy a short while ago. You can have the next one in about {seconds} seconds."


class NotYours(AccessError):
    sentence = "Only the person who asked for this picture can do that."


class StrengthOverLimit(AccessError):
    sentence = "The strength must be between {low} and {high} on this server."


class OwnPicture(AccessError):
    sentence = "That picture is egao's own. Use the buttons under it, or choose the message with the photo."


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
