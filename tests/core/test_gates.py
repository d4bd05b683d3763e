"""The two looks before any work: what they refuse, what they let pass, and that nothing is made of a refused photo.

Seeds stand for people: the generator draws children too. Which ones look like children was judged by eye.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
import typer
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner

import core.gates
from core.cli import edit
from core.edit import Editor, Models
from core.errors import FaceBarred, FaceRefused, LooksExplicit, LooksYoung, PhotoError, WeightsCorrupt, WeightsMissing
from core.executor import Animate, FindFaces, FoundFaces, Project, Render, Rendered, Workbench
from core.faces import align
from core.gates import Gates
from core.generator import Generator
from core.generator.latent import seed_w
from core.latents import to_npz
from core.learned import Learned
from core.settings import Settings
from core.store import Owner, Store
from core.workbench import EditorWorkbench, create
from tests.core.gates_kit import ADULTS, CHILDREN, People, each_look_once, looked, png, skin_tones, smaller, with_settings
from tests.core.occlusion.things import before

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("_drawn_once")]

PARTS = core.gates._PARTS


# Beside the whole photo the largest of its parts, or all 17 (over a second); test_explicit_look asks what they are for.
@pytest.fixture(scope="module", autouse=True, params=[PARTS[:1], pytest.param(PARTS, marks=pytest.mark.long)], ids=["4", "17"])
def _each_look_once(request: pytest.FixtureRequest) -> Iterator[None]:
    with each_look_once(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(core.gates, "_PARTS", request.param)
        yield


@pytest.fixture(scope="module")
def gates(settings: Settings) -> Gates:
    return Gates(settings)


@pytest.fixture(scope="module")
def people(generator: Generator) -> People:
    """The pictures, made smaller: in groups of full-sized ones faces are looked for in dozens of windows."""
    return People(generator)


@pytest.fixture(scope="module")
def models(settings: Settings) -> Iterator[Models]:
    yield (made := Models(settings))
    made.finder.close()


EVERYBODY = pytest.param(CHILDREN, ADULTS, marks=pytest.mark.long)


@pytest.mark.parametrize(("children", "adults"), [(CHILDREN[:2], ADULTS[:2]), EVERYBODY], ids=["few", "all"])
def test_children_are_told_from_adults(
    gates: Gates, people: People, settings: Settings, children: tuple[int, ...], adults: tuple[int, ...]
) -> None:
    scores = {seed: gates.under_age(people[seed]) for seed in (*children, *adults)}
    assert all(scores[seed] >= 0.8 for seed in children), scores
    assert all(scores[seed] <= settings.gate_young / 2 for seed in adults), scores


def test_an_estimate_hangs_neither_on_the_size_nor_on_the_side(gates: Gates, people: People) -> None:
    for seed in (CHILDREN[0], ADULTS[0]):
        picture = people[seed]
        assert gates.under_age(smaller(picture, 128)) == pytest.approx(gates.under_age(picture), abs=0.05)
        assert gates.under_age(picture[:, ::-1].copy()) == pytest.approx(gates.under_age(picture), abs=0.01)


@pytest.mark.parametrize(
    ("thing", "children", "adults", "caught", "wrong"),
    [
        ("letters", CHILDREN[:2], ADULTS[:2], 2, 0),
        pytest.param("letters", CHILDREN, ADULTS, 6, 0, marks=pytest.mark.long),
        pytest.param("fingers", CHILDREN, ADULTS, 6, 1, marks=pytest.mark.long),
        pytest.param("mask", CHILDREN, ADULTS, 4, 1, marks=pytest.mark.long),
        pytest.param("microphone", CHILDREN, ADULTS, 5, 0, marks=pytest.mark.long),
    ],
)
def test_what_lies_before_a_face_makes_nobody_younger_or_older(
    gates: Gates,
    models: Models,
    people: People,
    thing: str,
    children: tuple[int, ...],
    adults: tuple[int, ...],
    caught: int,
    wrong: int,
) -> None:
    """Letters over the mouth made children of two in three adults; a microphone, fingers or a mask made adults of children."""
    told = {}
    for seed in (*children, *adults):
        covered, _ = before(smaller(people[seed], 256), thing, (128, 179), 52)
        told[seed] = gates.looks_young(covered, models.things.find(covered))
    assert sum(told[seed] for seed in adults) <= wrong
    assert sum(told[seed] for seed in children) >= caught


@pytest.mark.parametrize("degrees", [40, 90, 180, 250])
def test_a_tilted_face_is_judged_upright(gates: Gates, models: Models, people: People, degrees: int, settings: Settings) -> None:
    for seed, young in ((ADULTS[0], False), (CHILDREN[0], True)):
        turned = np.asarray(Image.fromarray(people[seed]).rotate(degrees, expand=True, fillcolor=(128, 128, 128)))
        (face,) = models.finder.find(turned)
        score = gates.under_age(align(turned, face.landmarks, 256).image)
        assert score >= 0.8 if young else score <= settings.gate_young / 2


def test_a_strict_operator_refuses_more(models: Models, astronaut_png: bytes, settings: Settings) -> None:
    strict, lax = (Models(with_settings(settings, gates="all", gate_explicit=share)) for share in (0.001, 0.5))
    for made in (strict, lax):
        made.__dict__["finder"] = models.finder
    with pytest.raises(LooksExplicit):
        Editor(strict).look(astronaut_png)
    assert len(Editor(lax).look(astronaut_png)[1]) == 1


@pytest.fixture(scope="module")
def bench(models: Models) -> EditorWorkbench:
    """The bot's own workbench."""
    return EditorWorkbench(Editor(models, strangers=True))


def test_the_bot_looks_before_it_does_anything(bench: EditorWorkbench, people: People) -> None:
    child, adult = png(people[5018]), png(people[5000])
    with pytest.raises(LooksYoung):
        looked(bench, child)
    with pytest.raises(LooksYoung):  # also where a request comes that no look went before, as after a restart
        next(bench.project(Project(child)))
    assert len(looked(bench, adult).faces) == 1


def test_a_photo_is_shown_to_the_gates_once_and_a_refused_one_each_time(
    bench: EditorWorkbench, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    gates = bench.editor.models.gates

    def noted(name: str, look: Callable[..., object]) -> Callable[..., object]:
        def gate(*given: Any) -> object:
            seen.append(name)
            return look(*given)

        return gate

    monkeypatch.setattr(core.gates, "_score", noted("explicit", core.gates._score))
    monkeypatch.setattr(gates, "under_age", noted("under_age", gates.under_age))
    adult, again = png(people[5003]), png(people[5003]) + b"\0"
    for _ in range(3):
        looked(bench, adult)
    assert seen == ["explicit", "under_age"]
    looked(bench, again)
    assert len(seen) == 4, "another file is another photo, whatever it shows"
    for _ in range(2):
        with pytest.raises(LooksYoung):
            looked(bench, png(people[5018]))
    assert len(seen) == 8


def test_a_face_is_looked_for_once_and_again_only_for_stricter_checks(
    bench: EditorWorkbench, models: Models, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo, child = png(people[5000]), png(people[5018])
    ws = models.generator.broadcast(seed_w(models.generator, [5000])).numpy()
    (face,) = looked(bench, photo).faces
    unchecked = looked(EditorWorkbench(Editor(models)), child).faces[0].learned
    request = Render(to_npz(ws), (1.0,), size=256, kind="jpeg", photo=photo, learned=face.learned)
    (drawn,) = bench.render([request])
    assert isinstance(drawn, Rendered)

    def never(_: object) -> NoReturn:
        raise AssertionError("looked for again")

    with pytest.raises(LooksYoung):  # it was found, but nobody had checked
        next(bench.project(Project(child, learned=unchecked)))
    monkeypatch.setattr(models.finder, "finding", never)
    afresh = EditorWorkbench(bench.editor)
    (again,) = afresh.render([replace(request, learned=drawn.learned)])
    assert isinstance(again, Rendered)
    assert (again.pictures, again.learned) == (drawn.pictures, drawn.learned)
    next(afresh.project(Project(photo, learned=face.learned)))
    with pytest.raises(AssertionError, match="looked for again"):
        list(afresh.render([replace(request, learned=Learned("of an earlier version"), size=128)]))
    strict = Models(with_settings(models.settings, gate_explicit=1e-6))
    strict.__dict__["generator"] = models.generator
    (refused,) = EditorWorkbench(Editor(strict, strangers=True)).render([replace(request, learned=drawn.learned)])
    assert isinstance(refused, FaceRefused)


def test_a_face_whose_photo_is_gone_is_held_against_the_checks_of_today(
    bench: EditorWorkbench, models: Models, people: People
) -> None:
    generator = models.generator
    latents = {seed: to_npz(generator.broadcast(seed_w(generator, [seed])).numpy()) for seed in (5000, 5018)}
    (face,) = looked(bench, png(people[5000])).faces
    asked = Render(latents[5000], (1.0,), size=256, kind="jpeg", learned=face.learned)
    (drawn,) = bench.render([asked])
    assert isinstance(drawn, Rendered), "it passed these very checks"
    strict = Models(with_settings(models.settings, gate_explicit=1e-6))
    strict.__dict__["generator"] = generator
    stricter = EditorWorkbench(Editor(strict, strangers=True))
    assert isinstance(next(iter(stricter.render([asked]))), FaceRefused)
    with pytest.raises(FaceRefused):
        next(stricter.animate(Animate(latents[5000], 0.0, 1.0, frames=2, learned=drawn.learned)))
    kept = replace(drawn.learned, found="")
    unchecked = [replace(asked, latent=latents[seed], learned=kept) for seed in (5000, 5018)]
    adult, child = bench.render(unchecked)  # of a version that did not look, or looked in another way
    assert isinstance(adult, Rendered)
    assert isinstance(child, FaceRefused)
    (own,) = EditorWorkbench(Editor(models)).render(unchecked[1:])
    assert isinstance(own, Rendered), "at the command line"
    strict.finder.close()


def test_one_child_in_a_group_is_enough(bench: EditorWorkbench, people: People) -> None:
    pair = np.concatenate([people[5000], people[5001]], axis=1)
    assert len(looked(bench, png(pair)).faces) == 2
    family = png(np.concatenate([people[5000], people[5136]], axis=1))
    with pytest.raises(LooksYoung):
        looked(bench, family)
    beside = Image.new("RGB", (400, 256), (128, 128, 128))
    beside.paste(Image.fromarray(people[5000]).resize((256, 256)), (144, 0))
    assert len(looked(bench, png(np.asarray(beside))).faces) == 1
    beside.paste(Image.fromarray(people[5018]).resize((80, 80)), (30, 90))  # a face of some 40 pixels, too small for an edit
    with pytest.raises(LooksYoung):
        looked(bench, png(np.asarray(beside)))
    with pytest.raises(LooksYoung):
        next(bench.project(Project(family, face=0)))


def family_of(people: People) -> bytes:
    """An adult, a child, and another adult."""
    return png(np.concatenate([people[5000], people[5136], people[5001]], axis=1))


def looked_alone(bench: Workbench, photo: bytes) -> FoundFaces:
    """What the workbench finds in a photo where a refused face bars itself alone."""
    *_, found = bench.find_faces(FindFaces(photo, alone=True))
    assert isinstance(found, FoundFaces)
    return found


def test_where_the_rule_allows_it_a_refused_face_bars_itself_alone(bench: EditorWorkbench, people: People) -> None:
    family = family_of(people)
    found = looked_alone(bench, family)
    assert ([face.index for face in found.faces], found.barred) == ([0, 2], 1), "the numbers that the faces have anyway"
    with pytest.raises(LooksYoung):  # whatever was found by another server's rule
        looked(bench, family)
    with pytest.raises(FaceBarred):
        next(bench.project(Project(family, face=1, alone=True)))
    last = found.faces[-1]
    next(bench.project(Project(family, face=last.index, learned=last.learned, alone=True)))
    with pytest.raises(LooksYoung):  # the rule was taken back meanwhile
        next(bench.project(Project(family, face=0, learned=found.faces[0].learned)))
    with pytest.raises(LooksYoung):  # nobody is left
        looked_alone(bench, png(people[5136]))
    with pytest.raises(LooksExplicit):  # that is said of the photo, not of a face
        looked_alone(bench, png(skin_tones()))


def test_a_face_kept_beside_a_refused_one_is_drawn_in_its_photo_only_by_that_rule(
    bench: EditorWorkbench, models: Models, people: People
) -> None:
    family = family_of(people)
    ws = models.generator.broadcast(seed_w(models.generator, [5000])).numpy()
    learned = looked_alone(bench, family).faces[0].learned
    asked = Render(to_npz(ws), (1.0,), size=256, kind="jpeg", photo=family, learned=learned, alone=True)
    (drawn,) = bench.render([asked])
    assert isinstance(drawn, Rendered)
    (strict,) = bench.render([replace(asked, learned=drawn.learned, alone=False)])
    assert isinstance(strict, FaceRefused), "also where the worker has the photo at hand"
    (by_itself,) = bench.render([replace(asked, photo=b"", learned=drawn.learned, alone=False)])
    assert isinstance(by_itself, Rendered), "nobody else is in its picture"


def test_a_look_can_be_left_after_a_few_of_the_networks_looks(
    bench: EditorWorkbench, astronaut: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one step takes, everybody waits for who comes meanwhile: of a crowd no step takes more than of a portrait."""
    looks = 0

    def counted(look: Callable[..., object]) -> Callable[..., object]:
        def count(*given: object) -> object:
            nonlocal looks
            looks += 1
            return look(*given)

        return count

    monkeypatch.setattr(core.gates, "_PARTS", PARTS)
    native = bench.models.finder._native
    for owner, name in ((native, "detect"), (native, "landmarks"), (core.gates, "_run")):
        monkeypatch.setattr(owner, name, counted(getattr(owner, name)))
    head = Image.fromarray(astronaut[10:190, 135:315]).resize((200, 200))
    sheet = Image.new("RGB", (800, 600), "grey")
    for place in ((20, 20), (300, 20), (580, 20), (160, 320), (440, 320)):
        sheet.paste(head, place)
    steps, said = [], []
    for one in bench.find_faces(FindFaces(png(np.asarray(sheet)))):
        said.append(one)
        steps.append(looks)
        looks = 0
    assert isinstance(said[-1], FoundFaces)
    assert len(said[-1].faces) == 5
    assert sum(steps) > 60
    assert max(steps) <= 15, "windows of one row, of the finest that a photo is looked at in"


def test_an_explicit_photo_is_refused_before_a_face_is_looked_for(bench: EditorWorkbench) -> None:
    with pytest.raises(LooksExplicit):  # and not NoFace
        looked(bench, png(skin_tones()))


def test_the_factory_of_the_workers_takes_photos_of_strangers(settings: Settings, tmp_path: Path) -> None:
    child = png(np.zeros((64, 64, 3), dtype=np.uint8))
    bench = create(with_settings(settings, gate_explicit=1e-6))
    with pytest.raises(LooksExplicit):
        looked(bench, child)
    unguarded = create(with_settings(settings, gates="off", gate_explicit=1e-6))
    with pytest.raises(PhotoError) as caught:
        looked(unguarded, child)
    assert not isinstance(caught.value, LooksExplicit)
    cache = tmp_path / "cache"
    (cache / "weights").mkdir(parents=True)
    for file in (settings.cache / "weights").iterdir():
        if file.name != "age-v1.onnx":
            (cache / "weights" / file.name).symlink_to(file)
    with pytest.raises(WeightsMissing):  # at the start, not at the first photo
        create(with_settings(settings, cache=cache))


@pytest.mark.parametrize(("mode", "refused"), [("bot", False), ("all", True), ("off", False)])
def test_the_command_line_is_for_ones_own_photos(models: Models, settings: Settings, mode: str, refused: bool) -> None:
    strict = with_settings(settings, gates=mode, gate_explicit=1e-6)
    own = Models(strict)
    own.__dict__["finder"] = models.finder
    if refused:
        with pytest.raises(LooksExplicit):
            Editor(own).look(png(skin_tones()))
    else:
        with pytest.raises(PhotoError) as caught:
            Editor(own).look(png(skin_tones()))
        assert not isinstance(caught.value, LooksExplicit)


@pytest.mark.parametrize("then_edited", [False, pytest.param(True, marks=pytest.mark.long)])
def test_a_refused_photo_leaves_nothing_behind(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, people: People, then_edited: bool
) -> None:
    photo, out, home = tmp_path / "photo.png", tmp_path / "out", tmp_path / "home"
    photo.write_bytes(png(people[5059]))
    for name, value in {"EGAO_HOME": home, "EGAO_CACHE": settings.cache, "EGAO_DEVICE": "cpu", "EGAO_GATES": "all"}.items():
        monkeypatch.setenv(name, str(value))
    app = typer.Typer()
    edit.register(app)
    outcome = CliRunner().invoke(app, [str(photo), "-o", str(out), "--steps", "1", "--json"])
    assert isinstance(outcome.exception, LooksYoung), outcome.output
    assert not out.exists()
    assert not home.exists()
    if not then_edited:
        return
    monkeypatch.setenv("EGAO_GATES", "bot")
    outcome = CliRunner().invoke(app, [str(photo), "-o", str(out), "--steps", "1", "--json", "--crop", "--smile", "0"])
    assert outcome.exit_code == 0, outcome.output
    assert json.loads(outcome.output)["faces"]
    with Store.open(Settings.load()) as store:
        assert len(store.faces.of(Owner.local())) == 1


def test_a_file_that_is_no_network_is_named(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "weights"
    folder.mkdir()
    for name in ("open_nsfw.onnx", "age-v1.onnx"):
        content = (settings.cache / "weights" / name).read_bytes()
        (folder / name).write_bytes(content if name.startswith("age") else bytes(len(content)))
    with pytest.raises(WeightsCorrupt) as caught:
        Gates(with_settings(settings, cache=tmp_path))
    assert "open_nsfw.onnx" in str(caught.value)
