"""Every sentence that the bot says, in English, by its key. Other languages have theirs in data/languages: `make languages`."""

# ruff: noqa: E501 - a sentence stays on one line, where it can be searched for
from __future__ import annotations

from typing import Final

from core.languages import Plural, Sentence

# Keyed by EgaoError.code: sentences of core/errors that count something, or seconds: with the time as people say it.
ERRORS: Final[dict[str, Sentence]] = {
    "QuotaSpent": Plural(
        "limit",
        "You have used your {limit} edit of today. The next one is free in {wait}.",
        "You have used all {limit} edits of today. The next one is free in {wait}.",
    ),
    "QuotaTooSmall": Plural(
        "count",
        "That would be {count} edit, and you have {left} left of today's {limit}. Choose a single face.",
        "That would be {count} edits, and you have {left} left of today's {limit}. Choose a single face.",
    ),
    "QueueFull": "There is too much waiting just now. Try again in about {wait}.",
    "OwnShareFull": "You have as much waiting here as one member may have. Try again in about {wait}.",
    "ServerShareFull": "This server has as much waiting as one server may have. Try again in about {wait}.",
    "WaitTooLong": "It would take too long until your turn. Try again in about {wait}.",
    "JobTimedOut": "This took longer than {wait} and was stopped. Try again.",
    "CoolingDown": "One moment: the next edit is possible in {wait}.",
    "WorkSpent": (
        "You have had {limit} seconds of the image worker's time in the last {minutes} minutes, which is the most that one member "
        "may have. Try again in about {wait}."
    ),
    "ServerWorkSpent": (
        "This server has had {limit} seconds of the image worker's time in the last {minutes} minutes, which is the most that one "
        "server may have. Try again in about {wait}."
    ),
    "ExportedLately": "You had your copy a short while ago. You can have the next one in about {wait}.",
}

TEXT: Final[dict[str, Sentence]] = {
    # Words used inside other sentences.
    "seconds": Plural("n", "{n} s", "{n} s"),
    "minutes": Plural("n", "{n} min", "{n} min"),
    "hours": Plural("n", "{n} h", "{n} h"),
    "days": Plural("n", "{n} d", "{n} d"),
    "hours.written": Plural("n", "{n} hour", "{n} hours"),
    "on": "on",
    "off": "off",
    "none": "none",
    "face.unnamed": "face {n}",
    # Work in progress.
    "work.title": "Working on your photo",
    "work.received": "Got it. Reading the photo…",
    "work.queued": "Waiting: number {place} in the queue, about {eta}.",
    "work.projecting": "Finding this face in the generator…",
    "work.drawing": "Drawing…",
    "work.part": "Face {n} of {count}",
    "work.step": "Step {step} of {steps}, about {eta} left.",
    "work.cancelled": "Cancelled. Nothing was kept.",
    "work.cancelled.source": "The photo was deleted or its data erased, so the work was stopped and nothing was kept.",
    "work.gone": "There is nothing to cancel any more.",
    "button.cancel": "Cancel",
    # Several faces.
    "faces.choose": Plural(
        "count",
        "### {count} face found\nWhich one? They are numbered from the left.",
        "### {count} faces found\nWhich one? They are numbered from the left.",
    ),
    "faces.choose.barred": "Faces in it that egao leaves alone: {count}.",
    "faces.number": "**Face {n}**",
    "faces.select": "Choose a face",
    "faces.all": Plural(
        "count",
        "All of them, in one picture (counts as {count} edit)",
        "All of them, in one picture (counts as {count} edits)",
    ),
    "faces.expired": "This choice is no longer open. Send the photo again.",
    # Results.
    "result.title": "### Strength {strength}",
    "result.caption": "{kind} · asked for by {member}",
    "result.caption.edited": "AI-edited picture",
    "result.caption.untouched": "The photo as it was",
    "result.kept": "The face is kept until {until}; `/forget` erases it at once.",
    "result.erased": "That face is not kept any more. Send the photo again; `/faces` lists what is kept.",
    "result.crop": "The photo is not there any more, so this is the face alone. Send it again to have it back in the photo.",
    "result.refitted.photo": (
        "Another face generator draws here now, so this face was learned anew, from its photo: it may look a little different."
    ),
    "result.refitted.drawn": (
        "Another face generator draws here now. The photo is not there any more, so this face was learned anew from what the "
        "earlier generator drew of it, and may look less like it."
    ),
    "result.download": "### Full size, strength {strength}",
    "result.leaves_out": "The result leaves out: {what}.",
    "result.animation": "### From neutral to {strength}",
    "result.deleted": "The picture is deleted. The face itself is kept until {until}.",
    "result.deleted.gone": "The picture is deleted.",
    "result.face.erased": "The face and everything made from it are erased.",
    # Several faces together.
    "group.title": Plural(
        "count",
        "### Strength {strength} · {count} face",
        "### Strength {strength} · {count} faces",
    ),
    "group.title.each": Plural(
        "count",
        "### {count} face",
        "### {count} faces",
    ),
    "group.select": "Whose expression do the buttons change?",
    "group.everybody": "Everybody",
    "group.picture": "picture {n}",
    "group.photo": "photo {n} of the message",
    "group.left": "Left as it is: {names}. {reason}",
    "group.left.more": "Others that stay as they are: {count}.",
    "group.lost": "Faces of this picture that are not kept any more, and stay as they are in the photo: {count}.",
    "group.kept": "The faces are kept until {until}; `/forget` erases them at once.",
    "group.download": "### Full size",
    "group.moving": "### From neutral, each face to its strength",
    "group.deleted": "The picture is deleted. Its faces are kept until {until}.",
    "group.erased": "The faces and everything made from them are erased.",
    "button.erase.faces": "Erase the faces too",
    "alt.group": "AI-edited: {faces}",
    "alt.moving": "AI-edited animation, from neutral: {faces}",
    "alt.photo": "The photo as it was",
    "alt.original": "The face as it is in the photo",
    "alt.neutral": "AI-edited: the same face with a neutral expression",
    "alt.edited": "AI-edited: the same face at strength {strength}",
    "alt.animation": "AI-edited animation: the face going from neutral to strength {strength}",
    "alt.preview": "A preview of the work so far",
    "alt.face": "Face number {n} in the photo",
    "button.minus": "− Less",
    "button.plus": "+ More",
    "button.neutral": "Neutral",
    "button.original": "Original",
    "button.exact": "Exact…",
    "button.animate": "Animate",
    "button.download": "Full size",
    "button.delete": "Delete",
    "button.report": "Report",
    "button.erase.face": "Erase the face too",
    "modal.exact.title": "Exact strength",
    "modal.exact.label": "Strength, from {low} to {high}",
    "modal.exact.typed": "Or a number of your own",
    "modal.exact.hint": "0 is the photo as it was. The edit always starts from the original.",
    "modal.exact.bad": "“{value}” is not a number. Write one such as 1.5.",
    "modal.photo.title": "A photo to edit",
    "modal.photo.label": "Photos with faces",
    "modal.photo.hint": "JPEG, PNG, WebP, GIF, AVIF or HEIC, {most} at most.",
    "button.photo": "Choose a photo…",
    # Reports.
    "report.title": "Report this picture",
    "report.why": "Why?",
    "report.why.me": "It shows me, and I don't want it",
    "report.why.other": "It shows somebody who did not agree",
    "report.why.young": "It shows somebody under 18",
    "report.why.explicit": "It is sexual or hurtful",
    "report.why.else": "Something else",
    "report.label": "What is wrong with it?",
    "report.hint": "Only the admins of this server read this.",
    "report.thanks": "Thank you. The admins of this server were told.",
    "report.nowhere": "Thank you. The report is stored for the admins, who see it in `/egao status`.",
    "report.direct": "In a direct message there are no admins: use Delete or `/forget`, or write to the bot's owner.",
    "report.done": "Handled",
    "report.handled": "### Report handled\n{admin} has looked after the report of {link}. It is erased.",
    "report.handled.gone": "### Report handled\nThis report was handled already, or has run out.",
    "report.notice": "### A picture was reported\nReported by {reporter}: {link}\n> {reason}",
    # Consent.
    "consent.notice": (
        "### Before your first photo\n"
        "egao looks for the face in a photo that you send and draws it again with another expression.\n"
        "- **Kept:** a description of the face in numbers and a small picture of it, both encrypted, "
        "for {retention} on this server. The photo itself is never written to disk.\n"
        "- **Not done:** no recognition, no comparing with other people, no training on your photos.\n"
        "- **Shown:** every result is marked as AI-edited.\n"
        "- **Erase:** `/forget` erases everything at once; deleting your photo's message does too. "
        "`/export` gives you a copy, `/privacy` tells you more.\n"
        "By agreeing you also say that you are at least 18, and that the person in the photo is you "
        "or agreed to this."
    ),
    "consent.form.title": "Before your first photo",
    "consent.form.label": "Both have to be true",
    "consent.form.hint": "Tick each of them.",
    "consent.tick.adult": "I am at least 18 years old",
    "consent.tick.allowed": "The person in the photo is me, or agreed to this",
    "consent.form.both": "egao may go on only if both are true. Press “I agree” again and tick both, or leave it.",
    "consent.agree": "I agree",
    "consent.decline": "No, thank you",
    "consent.thanks.resend": "Thank you. Now send the photo or the command once more.",
    "consent.heard": "You have agreed already, and what you had asked for is being done or was answered.",
    "consent.declined": "Nothing was read or kept. You can change your mind any time by sending a photo.",
    "consent.other": "This question is for somebody else. Send a photo of your own to be asked.",
    "modal.which.label": "Which expression?",
    # Asking for a photo.
    "photo.content.off": (
        "I can't see pictures in channels here, because the bot runs without the message content permission. "
        "Mention me in the message with the photo, use `/{command}`, or Apps > {menu}."
    ),
    "photo.link": "That is a link, and egao reads only photos that are uploaded to Discord. Save the picture and upload it here, or give it to `/{command}`.",
    "photo.drop.hint": "Send me a photo with a face in it, or use `/{command}`. `/help` tells you more.",
    # My things.
    "mine.faces.title": "### Your faces on this server",
    "mine.faces.title.direct": "### Your faces in direct messages",
    "mine.faces.none": "No face of yours is kept here.",
    "mine.faces.line": "**{n}. {name}** · until {until}",
    "mine.faces.latest": "used by `/{command}`",
    "mine.faces.page": "Page {page} of {pages}",
    "mine.faces.select": "Choose a face to change",
    "mine.faces.picked": "`/{command}` and `/neutral` now use **{name}**.",
    "mine.faces.renamed": "Renamed to **{name}**.",
    "mine.faces.deleted": "**{name}** is erased.",
    "mine.faces.manage": "### {name}\nKept until {until}.",
    "button.face.use": "Use this one",
    "button.face.rename": "Rename…",
    "button.face.delete": "Erase",
    "button.page.back": "◀",
    "button.page.on": "▶",
    "button.face.back": "Back to the list",
    "modal.rename.title": "Rename the face",
    "modal.rename.label": "New name (only you see it)",
    "queue.none": "You have nothing waiting.",
    "queue.title": "### Your requests",
    "queue.line": "- {kind}: {state}",
    "queue.waiting": "number {place} in the queue, about {eta}",
    "queue.running": "being worked on",
    "queue.choosing": "waiting for you to choose a face",
    "queue.all": "Waiting in all: {count}.",
    "kind.photo": "a photo",
    "kind.group": "several faces",
    "kind.edit": "a new strength",
    "kind.animate": "an animation",
    "kind.download": "a full-size picture",
    "forget.ask": (
        "### Erase everything?\n"
        "This erases your faces, pictures' records, settings and consent, on every server, at once. "
        "It can't be undone. Pictures already posted stay in Discord until you delete their messages."
    ),
    "forget.confirm": "Erase everything",
    "forget.cancel": "Keep it",
    "forget.done": "Everything that egao kept about you is erased.",
    "forget.kept": "Nothing was erased.",
    "export.ready": "All that egao keeps about you is in this file.",
    "export.none": "egao keeps nothing about you.",
    "export.part": "Part {number} of all that egao keeps about you. The next part follows.",
    "export.away": "Part {number} of all that egao keeps about you. There is more, which Discord does not let egao send here: use `/export` in a direct message with egao, in ten minutes.",
    "export.last": "Part {number} of all that egao keeps about you, the last one.",
    "visibility.public": "Results of your commands are now shown to everyone.",
    "visibility.private": "Results of your commands are now shown only to you.",
    "help.text": (
        "### egao gives the face in a photo another expression\n"
        "- **Send a photo** in a direct message, in a channel that the admins opened, or with a mention of me.\n"
        "{commands}\n"
        "- Commands work on your latest face; with `photo` they start from a new one.\n"
        "- **Apps > {menu}** on any message with a photo works on phones too.\n"
        "- The buttons under a picture work for the person who asked for it, as long as the face is kept.\n"
        "{others}\n"
        "Strength here: from {low} to {high}. Faces are kept for {retention}."
    ),
    "help.command": "- **`/{name}`**: {does}",
    "help.expression": "- **`/{name} strength`**: {change}. {strength}.",
    "help.shared": "- **`/neutral`**: {remove}. **`/animate`**: {sweep}.",
    "help.admin": "-# You manage this server: `/egao settings` opens channels and sets limits, `/egao status` shows how egao is doing.",
    # Admins.
    "welcome": (
        "### egao has joined {server}\n"
        "It gives the face in a photo another expression. Whoever manages this server may set three things "
        "in `/egao settings`:\n"
        "1. **Channels** where a photo gets a reply by itself. None is open yet; a mention of me, `/{command}` and "
        "Apps > {menu} work everywhere.\n"
        "2. **Who, and whose photos:** every member, with their own photos only, until you say otherwise.\n"
        "3. **Reports:** the channel that members' reports of pictures go to. Until then `/egao status` lists them.\n"
        "-# `/help` tells members how it works, `/privacy` what is kept and for how long."
    ),
    "admin.settings.title": "### egao on this server",
    "admin.settings.saved": "Saved.",
    "admin.channels": "Channels where a photo gets a reply",
    "admin.channels.pick": "Channels where a photo gets a reply by itself",
    "admin.roles": "Roles that may use egao",
    "admin.roles.pick": "Roles that may use egao (none: everyone)",
    "admin.everyone": "everyone",
    "admin.auto": "Automatic replies",
    "admin.whose": "Whose photos",
    "admin.whose.own": "only one's own",
    "admin.whose.consented": "anyone who agreed",
    "admin.whose.any": "any",
    "admin.refused": "A face that may be under 18 bars",
    "admin.refused.photo": "the whole photo",
    "admin.refused.face": "only itself",
    "admin.strength": "Largest strength",
    "admin.cooldown": "Pause between edits (seconds)",
    "admin.quota": "Edits a day and member",
    "admin.work": "Worker seconds per member in 10 minutes",
    "admin.share": "Requests waiting at once, whole server",
    "admin.wait": "Longest wait accepted (seconds)",
    "admin.retention": "Faces are kept for (hours)",
    "admin.spoiler": "Pictures as spoilers",
    "admin.report": "Reports of pictures go to",
    "admin.report.pick": "Channel that reports of pictures go to",
    "admin.generator": "Face generator",
    "admin.generator.usual": "{name}, as egao's operator chose",
    "admin.language": "Language",
    "admin.language.auto": "each member's own",
    "admin.content.off": "The bot runs without the message content permission, so photos in channels are seen only with a mention.",
    "admin.button.refused": "A refused face bars: {state}",
    "admin.button.limits": "Limits…",
    "admin.button.queue": "Queue and keeping…",
    "admin.button.auto": "Automatic replies: {state}",
    "admin.button.spoiler": "Spoilers: {state}",
    "admin.limits.title": "Limits",
    "admin.queue.title": "Queue and keeping",
    "admin.range": "from {low} to {high}",
    "admin.status": (
        "### How egao is doing\n"
        "- Queue: {waiting} waiting, {running} running, worker {worker}\n"
        "- This server today: {done} done, {failed} failed\n"
        "- Since the start, {uptime} ago: {total} done, {total_failed} failed, about {pace} each\n"
        "- Kept here: faces {faces}, members {members}\n"
        "- Blocked members: {blocked} · Reports: {reports}\n"
        "- Free disk: {disk:.1f} MiB\n"
        "- Message content permission: {content}"
    ),
    "admin.status.reports": "**Latest reports**",
    "admin.worker.up": "ready",
    "admin.worker.down": "starting again",
    "admin.blocked": "{member} can't use egao on this server any more; what was kept of them here is erased.",
    "admin.unblocked": "{member} can use egao again.",
    "admin.unblocked.not": "{member} was not blocked.",
    "admin.purge.ask": "### Erase all of this server?\nThis erases every face kept from this server ({faces}). It can't be undone.",
    "admin.purge.ask.member": "### Erase what is kept of {member} here?\nIt can't be undone.",
    "admin.purge.confirm": "Erase",
    "admin.purge.kept": "Nothing was erased.",
    "admin.purge.done": "Faces erased: {faces}.",
    # The bot's own troubles.
    "trouble.unexpected": "Something went wrong inside egao; it was not your photo. Try again. (Reference {reference})",
    "trouble.operator": "egao can't work just now because of a problem on its own side. Its operator can find the cause in the log. (Reference {reference})",
    "trouble.old": "This button belongs to an older message that can't be used any more.",
    "trouble.place": "I may not post pictures in this channel. Ask an admin for the permission to attach files.",
    "trouble.finished": "{member}, your picture is ready, but the reply that only you could see has expired. Run `/{command}` to see it.",
    # What `/privacy` says: see bot/text/privacy.py.
    "privacy.checks": (
        "**Checks.** Before that, two automatic checks look for explicit content and for faces that may be under {age}. They "
        "are often wrong and accuse nobody; of what they refuse nothing is kept. A face that they refuse bars the whole "
        "photo or, where the server's admins say so, only itself.\n"
    ),
    "privacy.pluralkit": (
        "**PluralKit.** Where its webhook posted a photo, PluralKit is asked for whom: it is told the number of that message, "
        "and nothing else.\n"
    ),
    "privacy.text": (
        "### How egao treats your photos and data\n"
        "**What happens to a photo.** It is downloaded from Discord into memory, the face is found and described as a "
        "point of a face generator (numbers that draw a similar face). The photo's file is never written to disk; "
        "a later edit reads it again from Discord.\n"
        "{checks}"
        "**What is kept**, here for {retention} after you last gave the photo: these numbers, a picture of the "
        "aligned face, where the face and its features are in the photo, the photo's link, a keyed hash of the photo, and the ids of the server, the channel, "
        "the message and yours. Numbers, picture and anything else taken from the face are encrypted on disk. A request "
        "under way is kept until it is answered, at most a day. Your consent (version {version}), language and wishes "
        "are kept until you erase them or a year without use has passed.\n"
        "**What is not done.** No recognising of persons, no comparing of faces between people, no training on your photos "
        "or messages, no passing on to others. Messages are not stored; the bot's logs hold ids only.\n"
        "**Erasing.** `/forget` erases everything at once. `/faces` erases single faces. Deleting the message with the "
        "photo, a ban, or removing egao from the server erases what came from there. Two things stay a while, without your "
        "id in the clear: a block by the admins until they lift it, and the count of your edits for 24 hours.\n"
        "**Your copy.** `/export` gives you all that is kept.\n"
        "**Honesty.** Every picture says that it is AI-edited, in its caption and inside its file. Use only photos of "
        "yourself or of people who agreed. You must be at least {age}. The Report button reaches the admins; reports are kept "
        "for 30 days at most."
    ),
}
