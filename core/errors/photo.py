"""The part of core.errors about photos: what can't be read, fetched or worked on, and why."""

from __future__ import annotations

from enum import StrEnum

from core.errors.base import EgaoError


class Reason(StrEnum):
    """Why a file can't be read or fetched, and what is lost of it. Other languages have each under its English."""

    PARTS = "it is made of very many parts"
    LAYERS = "it is a JPEG of very many layers"
    DEPTH = "it is a JPEG of more than 8 bits a colour, which hardly any program reads"
    FORMAT = "it is none of these formats, or damaged from the start"
    CUT = "it is cut off or damaged"
    DAMAGED = "it is damaged"
    NO_FILE = "it is not a file"
    SLOW = "it took too long"
    CONNECTION = "the connection failed"
    ELSEWHERE = "it is not on Discord"
    DISCORD = "Discord does not answer"
    GAIN_MAP = "the map for screens of high dynamic range"  # what a result leaves out
    HIGH_RANGE = "the high dynamic range"  # the same


class PhotoError(EgaoError):
    """The photo cannot be used as it is."""


class UnreadablePhoto(PhotoError):
    sentence = "This file can't be read as a photo ({reason}). Send a JPEG, PNG, WebP, GIF, AVIF or HEIC picture."


class PhotoTooLarge(PhotoError):
    """The photo is larger than what is worked on. Its subclasses say how its size was measured."""

    sentence = "This photo is too large ({size}; at most {limit}). Send a smaller copy."


class FileTooLarge(PhotoTooLarge):  # both in MiB
    sentence = "This photo is too large ({size:.1f} MiB; at most {limit:.1f} MiB). Send a smaller copy."


class TooManyPixels(PhotoTooLarge):  # the limit in millions
    sentence = "This photo is too large ({width} x {height} pixels; at most {limit:.1f} million pixels). Send a smaller copy."


class PixelsBeyond(PhotoTooLarge):  # both in millions: its sides are not known
    sentence = "This photo is too large ({size:.1f} million pixels; at most {limit:.1f} million pixels). Send a smaller copy."


class PixelsUncounted(PhotoTooLarge):  # the limit in millions
    sentence = "This photo is too large (too many pixels; at most {limit:.1f} million pixels). Send a smaller copy."


class SideTooLong(PhotoTooLarge):
    sentence = "This photo is too large ({width} x {height} pixels; at most {limit} a side). Send a smaller copy."


class LargerThanTold(PhotoTooLarge):
    sentence = (
        "This photo is too large ({width} x {height} pixels; at most the {told_width} x {told_height} of its header). "
        "Send a smaller copy."
    )


class FilmTooLong(PhotoTooLarge):  # the limit in millions of pixels
    sentence = (
        "This animation is too long: {frames} frames of {width} x {height} pixels; at most {most} frames, and "
        "{limit:.0f} million pixels in all of them. Cut it, or make it smaller."
    )


class FilmTooSlow(PhotoTooLarge):
    sentence = "This animation is too long: it plays for {seconds:.0f} seconds; at most {limit}. Cut it."


class NoFace(PhotoError):
    sentence = "No face was found in this photo. It must be seen from the front, with eyes, nose and mouth uncovered."


class FaceTooSmall(PhotoError):
    sentence = "The face is too small ({pixels} pixels across; at least {limit} are needed). Send a closer photo."


class FaceTurnedAway(PhotoError):
    sentence = "The face is turned too far away ({degrees} degrees; at most {limit}). Send one seen from the front."


class MouthHidden(PhotoError):
    sentence = (
        "Something is in front of the mouth, and nobody can tell how the mouth would move behind it. "
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


class PhotoNotServed(PhotoUnreachable):
    sentence = "The photo could not be fetched (answer {status}). Try again in a moment."


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
    sentence = "egao edits only your own avatar. For somebody else's photo, use the menu of the message that it is in."


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
