"""The networks that an edit needs, loaded when first used and kept."""

from __future__ import annotations

from functools import cached_property
from typing import Self

from core.compiled.kept import CodeCache
from core.device import choose_device, use_threads
from core.directions.direction import Direction, load_direction
from core.edit.curves import Curves
from core.emotion import EmotionClassifier
from core.expressions import Expression
from core.faces import FaceFinder
from core.fast import ManyFaces, fast_parts
from core.fast.preview import Preview
from core.fast.trained import FOLDER, PREVIEW, load_trained
from core.gates import Gates
from core.generator import Generator, load_generator, seed_w
from core.generator.protocol import FeatureGenerator
from core.occlusion import Finder as ThingFinder
from core.projection.features import Features
from core.reach.maps import Maps
from core.rendering import Renderer
from core.settings import Settings
from core.weights.parts import CURVES, MAPS, find_part, shipped_folder

_TRIED = range(4)  # seeds: of a generator of faces nearly all show one


class Models:
    """The networks of one thread, each loaded when it is first used."""

    def __init__(self, settings: Settings) -> None:
        use_threads(settings)
        self.settings = settings
        self.device = choose_device(settings)
        self._directions: dict[str, Direction] = {}
        self._curves: dict[str, Curves | None] = {}  # by the name of the expression

    @cached_property
    def generator(self) -> Generator:
        generator = load_generator(self.settings)
        return generator.to(self.device) if self.device.type != "cpu" else generator  # type: ignore[attr-defined]

    def beside(self, name: str) -> Self:
        """Make the networks for another generator, with those that depend on none shared. Loads nothing of it yet."""
        other = type(self)(self.settings.model_copy(update={"generator": name}))
        other.finder, other.features, other.things = self.finder, self.features, self.things
        if "gates" in self.__dict__:  # where photos are not checked they are never loaded
            other.gates = self.gates
        return other

    @cached_property
    def renderer(self) -> Renderer:
        compiled = CodeCache.of(self.settings) if self.settings.compile != "off" else None
        return Renderer(self.generator, compiled=compiled)

    @cached_property
    def draws_faces(self) -> bool:
        """Whether the landmarker sees a face in any of a few seeds; known of a generator whose parts ship with egao.

        A generator of something else can be made to draw what looks like a face, by projecting one, and loses it with a step.
        """
        if shipped_folder(self.generator.digest) is not None:
            return True
        ws = self.generator.broadcast(seed_w(self.generator, _TRIED))
        return any(self.finder.aligned(picture) is not None for picture in self.renderer.images(ws))

    @cached_property
    def features(self) -> Features:
        return Features.load(self.settings).to(self.device)

    @cached_property
    def many(self) -> ManyFaces | None:
        """What projects several members' faces at once by the method "fast"; None on a CPU, which one keeps busy.

        Raises PartMissing, GeneratorLacks, WeightsUnfit.
        """
        if self.device.type == "cpu":
            return None
        return ManyFaces(self.generator, self.features, fast_parts(self.generator, self.settings)[1])

    @cached_property
    def things(self) -> ThingFinder:
        return ThingFinder(self.features)

    @cached_property
    def finder(self) -> FaceFinder:
        return FaceFinder(self.settings)

    @cached_property
    def gates(self) -> Gates:
        return Gates(self.settings)

    @cached_property
    def emotion(self) -> EmotionClassifier:
        return EmotionClassifier(self.settings)

    @cached_property
    def maps(self) -> Maps | None:
        """The maps from scores of a face to moves of its latent; None if there are none for this generator."""
        file = find_part(self.settings, self.generator, MAPS)
        return None if file is None else Maps.load(file, self.generator.digest)

    @cached_property
    def preview(self) -> Preview | None:
        """The head that draws 256 pixels from the generator's features, without its most costly layers.

        None if none was trained for this generator.
        """
        file = find_part(self.settings, self.generator, f"{FOLDER}/{PREVIEW}")
        if file is None or not isinstance(self.generator, FeatureGenerator):
            return None
        return load_trained(Preview.shaped_for(self.generator), file, self.generator)

    def curves(self, expression: Expression) -> Curves | None:
        """Load how drawn faces answered to the expression; None where nobody tried that for what moves it."""
        name = expression.plain.name
        if name not in self._curves:
            file = find_part(self.settings, self.generator, CURVES.format(name))
            self._curves[name] = None if file is None else Curves.load(file, self.generator.digest)
        found = self._curves[name]
        return found if found is not None and found.moved_by == self.mover(expression).digest else None

    def direction(self, name: str) -> Direction:
        """Return a direction, loaded once. Raises NoSuchDirection, WeightsUnfit."""
        if name not in self._directions:
            self._directions[name] = load_direction(name, self.settings, self.generator)
        return self._directions[name]

    def mover(self, expression: Expression) -> Direction:
        """Return the direction along which the expression moves a face. Raises NoSuchDirection, WeightsUnfit."""
        return self.direction(expression.move.direction)

    def moved_by(self, expression: Expression) -> str:
        """Compute the digest of the direction and the maps that move a face: a scale measured with others does not fit."""
        return self.mover(expression).digest + (self.maps.digest if self.maps is not None else "")
