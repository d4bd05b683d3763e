"""Names the commands, their parameters and choices in Japanese, keyed by the English that the code registers.

What is said of an expression stands in its own file (core.expressions) and is added by `japanese`.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from core.expressions import default, load, names

_OWN: Final[dict[str, str]] = {
    "neutral": "無表情",
    "animate": "動かす",
    "faces": "顔一覧",
    "queue": "順番待ち",
    "privacy": "プライバシー",
    "forget": "データ消去",
    "export": "データ書き出し",
    "help": "ヘルプ",
    "visibility": "公開設定",
    "egao": "egao",
    "settings": "設定",
    "status": "状態",
    "block": "ブロック",
    "unblock": "ブロック解除",
    "purge": "一括消去",
    "strength": "強さ",
    "photo": "写真",
    "face": "顔",
    "member": "メンバー",
    "show": "表示",
    "everyone": "全員",
    "only me": "自分だけ",
    "Make it neutral": "無表情にする",
    "A new photo; without one, your latest face is used": "新しい写真。付けなければ最後に使った顔を使います",
    "Which face: its number in the photo, or one of your kept faces": "どの顔か：写真の中の番号、または保存中の顔",
    "Who sees the result": "結果を誰に見せるか",
    "Your kept faces: choose, rename, erase": "保存中の顔の選択、名前の変更、消去をします",
    "Your requests that are waiting or being worked on": "順番待ちと処理中の依頼を表示します",
    "How egao treats your photos and data": "写真とデータの扱いを表示します",
    "Erase everything egao keeps about you": "egaoが保存しているあなたのデータをすべて消去します",
    "Get a copy of everything egao keeps about you": "egaoが保存しているあなたのデータの写しを受け取ります",
    "What egao can do and how": "egaoでできることと使い方を表示します",
    "Choose who sees the results of your commands": "コマンドの結果を誰に見せるかを選びます",
    "Set up and look after egao on this server": "このサーバーでのegaoを設定し、管理します",
    "See and change egao's settings on this server": "このサーバーでのegaoの設定を表示し、変更します",
    "Queue, rates, failures and disk": "順番待ち、処理数、失敗、ディスクの状態を表示します",
    "Keep a member from using egao here": "メンバーがここでegaoを使えないようにします",
    "Let a blocked member use egao again": "ブロックしたメンバーがまたegaoを使えるようにします",
    "Erase kept faces of this server or of one member": "このサーバー、または1人のメンバーの顔のデータを消去します",
    "The member": "対象のメンバー",
    "Only this member's faces": "このメンバーの顔だけを消去します",
}


class Shared(NamedTuple):
    """Describes the commands that every expression shares."""

    remove: str  # what `/neutral` does
    sweep: str  # what `/animate` does
    which: str  # what their option of an expression means: see `WHICH`


WHICH: Final = "expression"  # the option; offered only where there are several
_SEVERAL: Final = {
    "en": Shared(
        "Take an expression off a face",
        "Move a face from neutral to an expression",
        "Which expression; the first, if you don't say",
    ),
    "ja": Shared("顔から表情を消します", "無表情から表情への変化を動画にします", "どの表情か。選ばなければ先頭のもの"),
}


def shared(language: str) -> Shared:
    """Describe what works on any expression: in the words of the only one, where there is one alone. `language`: en, ja."""
    words, several = default().said(language), _SEVERAL[language]
    return several if len(names()) > 1 else Shared(words.remove, words.sweep, several.which)


def japanese() -> dict[str, str]:
    """Collect the Japanese of all that is registered, by its English."""
    en, ja = shared("en"), shared("ja")
    pairs = [(en.remove, ja.remove), (en.sweep, ja.sweep)]
    if len(names()) > 1:
        pairs += [(WHICH, "表情"), (en.which, ja.which)]
    for name in names():
        own, its = load(name).said("en"), load(name).said("ja")
        pairs += [(own.name, its.name), (own.menu, its.menu), (own.change, its.change), (own.strength, its.strength)]
    return {**_OWN, **dict(pairs)}
