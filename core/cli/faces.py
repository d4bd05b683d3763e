"""`egao faces list | show | delete`: the faces that edits at this command line have kept."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from core.settings import Settings
from core.store import Owner, Store, StoredFace
from core.store.export import picture_ending

Json = Annotated[bool, typer.Option("--json", help="print JSON instead of a table")]
Number = Annotated[int, typer.Argument(help="a number from: egao faces list", metavar="FACE")]
Out = Annotated[Path | None, typer.Option("-o", "--out", help="write its picture and its latent into this folder")]


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    verb = typer.Typer(no_args_is_help=True, help="The faces kept by the command line: list them, show one, erase them.")
    verb.command("list")(list_faces)
    verb.command("show")(show_face)
    verb.command("delete")(delete_faces)
    app.add_typer(verb, name="faces")


def list_faces(as_json: Json = False) -> None:
    """Show every face that an edit at this command line has kept, the latest first."""
    with Store.open(Settings.load(operator=True)) as store:
        faces = store.faces.of(Owner.local())
    if as_json:
        typer.echo(json.dumps([described(face) for face in faces], indent=1))
        return
    if not faces:
        typer.echo("no face is kept; egao edit PHOTO keeps one")
        return
    table = Table("face", "name", "photo (sha256)", "in the photo", "method", "generator", "last used")
    for face in faces:
        photo, number = face.photo_sha256[:12], f"number {face.face + 1} from the left"
        table.add_row(str(face.id), face.name, photo, number, face.method, face.generator[:12], _time(face.last_used))
    Console().print(table)


def show_face(face_id: Number, out: Out = None) -> None:
    """Print all that is kept about one face as JSON; with -o also write its picture and its latent."""
    with Store.open(Settings.load(operator=True)) as store:
        owner = Owner.local()
        about = described(store.faces.get(owner, face_id))
        if out is not None:
            picture, latent = store.faces.thumbnail(owner, face_id), store.faces.latent(owner, face_id)
            about["files"] = _write(out, face_id, picture, latent)
    typer.echo(json.dumps(about, indent=1, ensure_ascii=False))


def delete_faces(
    face_ids: Annotated[list[int] | None, typer.Argument(help="numbers from: egao faces list", metavar="FACE…")] = None,
    everything: Annotated[bool, typer.Option("--all", help="erase every face kept from the command line")] = False,
) -> None:
    """Erase faces for good, also from the store's file."""
    if bool(face_ids) == everything:
        raise typer.BadParameter("name the faces to erase, or give --all")
    with Store.open(Settings.load(operator=True)) as store:
        count = store.forget(Owner.local()).faces if everything else 0
        for face_id in face_ids or ():
            store.faces.delete(Owner.local(), face_id)
            count += 1
    typer.echo(f"{count} erased")


def described(face: StoredFace) -> dict[str, Any]:
    """Describe a face as JSON data: without its owner, and with times as text."""
    about = asdict(face)
    del about["owner"]
    for name in ("created", "last_used", "expires"):
        about[name] = None if about[name] is None else _time(about[name])
    return about


def _write(folder: Path, face_id: int, picture: bytes, latent: bytes) -> list[str]:
    stem = folder / f"face{face_id:04d}"
    files = {stem.with_suffix(f".{picture_ending(picture)}"): picture, stem.with_suffix(".npz"): latent}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, content in files.items():
            path.write_bytes(content)
    except OSError as error:
        raise typer.BadParameter(f"{error.filename}: {error.strerror}", param_hint="--out") from None
    return [str(path) for path in files]


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().isoformat(sep=" ", timespec="seconds")
