"""The Japanese of what errors about photos tell as facts: why a file can't be read or fetched, and how large it is."""

from __future__ import annotations

import re
from typing import Final

REASONS: Final[dict[str, str]] = {
    "it is made of very many parts": "細かい部分に分かれすぎています",
    "it is a JPEG of very many layers": "層の多すぎるJPEGです",
    "it is none of these formats, or damaged from the start": "対応していない形式か、先頭から壊れています",
    "it is cut off or damaged": "途中で切れているか、壊れています",
    "it is damaged": "壊れています",
    "it took too long": "時間がかかりすぎました",
    "the connection failed": "接続に失敗しました",
    "it is not on Discord": "Discordのファイルではありません",
    "too many pixels": "画素が多すぎます",
}
_ANSWER, _PIXELS = re.compile(r"answer (\d+)"), re.compile(r"([\d.]+)( million)? pixels")
_SIDES, _SIDE = re.compile(r"(\d+) x (\d+) pixels"), re.compile(r"(\d+) a side")


def in_japanese(fact: str) -> str:
    """Translate a fact of an error; one that is not known here stays as it is."""
    if found := _ANSWER.fullmatch(fact):
        return f"サーバーの応答：{found[1]}"
    if found := _PIXELS.fullmatch(fact):
        return f"{float(found[1]) * 100:g}万画素" if found[2] else f"{found[1]}画素"
    if found := _SIDES.fullmatch(fact):
        return f"{found[1]}×{found[2]}画素"
    if found := _SIDE.fullmatch(fact):
        return f"一辺{found[1]}画素"
    return REASONS.get(fact, fact)
