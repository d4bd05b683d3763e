"""Content credentials from behind the wall: the worker signs what it draws, with a key that it makes itself."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path
from typing import get_args

import pytest

from core.executor import FindFaces
from core.executor.sandbox.wall import lacks
from core.pictures import PictureKind
from tests.core.executor.kit import ANN, executor

c2pa = pytest.importorskip("c2pa", reason="the extra c2pa is not installed")
pytestmark = pytest.mark.skipif(bool(lacks()), reason="this kernel has no wall")
KINDS = (*get_args(PictureKind), "gif", "webp-moving")
MIME = {"heic": "image/heic", "webp-moving": "image/webp"}


async def test_a_walled_worker_signs_every_kind(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    home = tmp_path / "home"
    home.mkdir()
    signers = set()
    with caplog.at_level(logging.INFO):
        async with executor("tests.core.executor.signing:create", home=home) as ours:
            for kind in KINDS:
                data = (await ours.submit(FindFaces(kind.encode()), ANN)).faces[0].thumbnail
                with c2pa.Reader(MIME.get(kind, f"image/{kind}"), io.BytesIO(data)) as reader:
                    said = json.loads(reader.json())
                active = said["manifests"][said["active_manifest"]]
                signers.add(active["signature_info"]["cert_serial_number"])
                failures = {one["code"] for one in said["validation_results"]["activeManifest"]["failure"]}
                assert failures == {"signingCredential.untrusted"}, kind
    assert len(signers) == 1, "a worker makes one key, and keeps it"
    assert not list(home.rglob("*")), "which is written nowhere"
    assert "not walled in" not in caplog.text
    assert "content credentials" not in caplog.text
