"""Content credentials, read back by the library: what a file says of itself, that it holds, and how it is lost."""

from __future__ import annotations

import io
import json
from typing import Any, get_args

import numpy as np
import pytest
from cryptography import x509
from numpy.typing import NDArray
from PIL import Image

from core.pictures import AnimationKind, Credentials, PictureKind, animate, credentials, encode
from core.pictures.credentials import NAME, RESERVED, make_certificate

c2pa = pytest.importorskip("c2pa", reason="the extra c2pa is not installed")
MIME = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp", "avif": "image/avif", "heic": "image/heic"}
EDITED = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"


def picture(side: int = 256) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 255, (side, side, 3), dtype=np.uint8)


def read(data: bytes, mime: str) -> dict[str, Any]:
    """All that the library says of a file."""
    with c2pa.Reader(mime, io.BytesIO(data)) as reader:
        said: dict[str, Any] = json.loads(reader.json())
    return said


def codes(said: dict[str, Any]) -> set[str]:
    """What is wrong with it, by the specification's names."""
    return {one["code"] for one in said["validation_results"]["activeManifest"]["failure"]}


@pytest.fixture(scope="module")
def signs() -> Credentials:
    return Credentials()


@pytest.mark.parametrize("kind", get_args(PictureKind))
def test_each_kind_says_that_it_is_an_ai_edit_and_holds(signs: Credentials, kind: PictureKind) -> None:
    said = read(encode(picture(), kind, credentials=signs), MIME[kind])
    active = said["manifests"][said["active_manifest"]]
    (actions,) = [one["data"]["actions"] for one in active["assertions"] if one["label"].startswith("c2pa.actions")]
    assert [(one["action"], one["digitalSourceType"]) for one in actions] == [("c2pa.created", EDITED)]
    assert "changed by a generative model" in actions[0]["description"]
    assert active["claim_generator_info"][0]["name"] == "egao"
    assert active["signature_info"]["common_name"] == NAME
    assert codes(said) == {"signingCredential.untrusted"}, "nobody vouches for a self-made certificate, and all else holds"


@pytest.mark.parametrize("kind", get_args(AnimationKind))
def test_an_animation_too(signs: Credentials, kind: AnimationKind) -> None:
    frames = [picture(64), picture(64)[::-1].copy(), picture(64)[:, ::-1].copy()]
    data = animate(frames, kind, credentials=signs)
    assert codes(read(data, f"image/{kind}")) == {"signingCredential.untrusted"}
    with Image.open(io.BytesIO(data)) as moving:
        assert getattr(moving, "n_frames", 1) == 4, "it moves all the same"


@pytest.mark.parametrize("kind", get_args(PictureKind))
def test_nothing_else_of_the_file_changes(signs: Credentials, kind: PictureKind) -> None:
    from pillow_heif import register_heif_opener

    register_heif_opener()
    plain, signed = encode(picture(), kind), encode(picture(), kind, credentials=signs)
    with Image.open(io.BytesIO(plain)) as before, Image.open(io.BytesIO(signed)) as after:
        assert (np.asarray(before.convert("RGB")) == np.asarray(after.convert("RGB"))).all()
    assert b"compositeWithTrainedAlgorithmicMedia" in signed, "the XMP of before"
    assert 0 < len(signed) - len(plain) < RESERVED


def test_one_changed_bit_is_found(signs: Credentials) -> None:
    data = bytearray(encode(picture(), "jpeg", credentials=signs))
    data[-1000] ^= 1
    assert "assertion.dataHash.mismatch" in codes(read(bytes(data), "image/jpeg"))


def test_a_generated_person_is_called_that_and_a_photo_is_not_signed(signs: Credentials) -> None:
    assert "drew a person that does not exist" in json.dumps(
        read(encode(picture(), source="generated", credentials=signs), "image/png")
    )
    assert encode(picture(), source="photo", credentials=signs) == encode(picture(), source="photo")


def test_the_photo_is_not_in_it(signs: Credentials) -> None:
    said = read(encode(picture(), "png", credentials=signs), "image/png")
    active = said["manifests"][said["active_manifest"]]
    assert not active.get("ingredients")
    assert not active.get("thumbnail")


def test_a_file_stays_within_its_limit(signs: Credentials) -> None:
    for most in (8 * RESERVED, RESERVED, 3000):
        data = encode(picture(512), "jpeg", max_bytes=most, credentials=signs)
        assert len(data) <= most
    assert b"c2pa" in encode(picture(512), "jpeg", max_bytes=8 * RESERVED, credentials=signs)


def test_what_can_not_be_signed_goes_out_as_it_was(signs: Credentials, caplog: pytest.LogCaptureFixture) -> None:
    assert signs.sign(b"no picture at all", "edited") == b"no picture at all"
    assert "without content credentials" in caplog.text


def test_a_picture_that_is_encoded_anew_has_lost_it(signs: Credentials) -> None:
    """As Discord's own copies of a smaller size or another kind have: what still says it there is the message."""
    with Image.open(io.BytesIO(encode(picture(), "png", credentials=signs))) as shown:
        small = io.BytesIO()
        shown.resize((128, 128)).save(small, "webp")
    with pytest.raises(c2pa.C2paError, match="ManifestNotFound"):
        read(small.getvalue(), "image/webp")
    assert b"TrainedAlgorithmicMedia" not in small.getvalue()


def test_every_process_has_a_certificate_of_its_own_that_tells_nothing() -> None:
    (chain, key), (other, _) = make_certificate(), make_certificate()
    own, issuer = x509.load_pem_x509_certificates(chain.encode())
    assert own.serial_number != x509.load_pem_x509_certificates(other.encode())[0].serial_number
    own.verify_directly_issued_by(issuer)
    assert {one.value for one in own.subject} == {"egao", NAME}
    assert "PRIVATE KEY" in key
    assert own.not_valid_before_utc.hour == own.not_valid_before_utc.minute == 0


def test_the_setting_turns_it_off() -> None:
    assert credentials("off") is None
    assert credentials("auto") is not None
