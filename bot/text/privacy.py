"""What `/privacy` says. Every number in it is the code's own."""

# ruff: noqa: E501 - a sentence stays on one line, where it can be searched for
from __future__ import annotations

from typing import Final

from bot.text.speaker import Language

CONSENT_VERSION: Final = 1  # raise it when the notice promises something else: everyone is asked again
ADULT: Final = 18  # years; a test holds it to core.gates.ADULT, which needs a network's runtime to be imported

TEXT: Final[dict[Language, str]] = {
    "en": (
        "### How egao treats your photos and data\n"
        "**What happens to a photo.** It is downloaded from Discord into memory, the face is found and described as a "
        "point of a face generator (numbers that draw a similar face). The photo's file is never written to disk; "
        "a later edit reads it again from Discord.\n"
        "{checks}"
        "**What is kept**, here for {retention} hours after you last gave the photo: these numbers, a picture of the "
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
    "ja": (
        "### egaoでの写真とデータの扱い\n"
        "**写真の処理：** 写真はDiscordからメモリーに読み込み、顔を見つけて、顔生成モデルの中の点（似た顔を描くための数値）として表します。"
        "写真のファイルをディスクに書き込むことはなく、後の編集ではDiscordからもう一度読み込みます。\n"
        "{checks}"
        "**保存するもの**（ここでは、最後に写真を送ってから{retention}時間）：この数値、切り出した顔の画像、写真の中の顔と目鼻などの位置、"
        "写真のリンクと鍵付きハッシュ、サーバー・チャンネル・メッセージとあなたのID。数値と画像など、顔から得たものはすべて暗号化して保存します。"
        "処理中の依頼は、回答するまで、長くても1日だけ保存します。同意（バージョン{version}）、言語、表示の希望は、"
        "あなたが消去するか、1年間使わないと消えます。\n"
        "**しないこと：** 個人の識別、人と人の顔の照合、写真やメッセージを使った学習、第三者への提供は行いません。"
        "メッセージは保存せず、Botのログには番号（ID）だけが残ります。\n"
        "**消去：** `/forget`ですぐにすべて消去します。`/faces`で顔を1つずつ消去できます。写真のメッセージの削除、サーバーからの追放（BAN）、"
        "サーバーからのegaoの削除でも、そこから得たものを消去します。次の2つだけは、IDを読めない形でしばらく残ります："
        "管理者によるブロック（解除まで）と、編集回数の記録（24時間）。\n"
        "**写しの受け取り：** `/export`で、保存しているものをすべて受け取れます。\n"
        "**表示：** すべての画像に、AIで編集したことを説明文とファイルの中の両方で示します。自分の写真か、承諾を得た人の写真だけを使ってください。"
        "{age}歳以上の人だけが使えます。「報告」ボタンで管理者に知らせることができ、報告は長くても30日で消えます。"
    ),
}

CHECKS: Final[dict[Language, str]] = {
    "en": (
        "**Checks.** Before that, two automatic checks look for explicit content and for faces that may be under {age}. They "
        "are often wrong and accuse nobody; of what they refuse nothing is kept. A face that they refuse bars the whole "
        "photo or, where the server's admins say so, only itself.\n"
    ),
    "ja": (
        "**確認：** その前に、露骨な内容がないかと、{age}歳未満の可能性がある顔がないかを自動で確かめます。よく間違える判定で、"
        "だれかを責めるものではありません。処理しなかったものからは何も保存しません。確認を通らない顔があると、"
        "写真全体を処理しません。サーバーの管理者の設定によっては、その顔だけを処理しません。\n"
    ),
}


def privacy(language: Language, retention_hours: int, *, checks: bool) -> str:
    """Write the statement, with the numbers that hold where it is asked for. `checks`: photos are looked at by core.gates."""
    told = CHECKS[language].format(age=ADULT) if checks else ""
    return TEXT[language].format(checks=told, retention=retention_hours, version=CONSENT_VERSION, age=ADULT)
