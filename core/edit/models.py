"""The networks that an edit needs, loaded when first used and kept."""

from __future__ import annotations

from functools import cached_property

from core.compiled.kept import CodeCache
from core.device import choose_device, use_threads
from core.directions.direction import Direction, load_direction
from core.emotion import EmotionClassifier
from core.expressions import Expression
from core.faces import FaceFinder
from core.fast.preview import Preview
from core.fast.trained import FOLDER, PREVIEW, load_trained
from core.gates import Gates
from core.generator import Generator, load_generator
from core.generator.protocol import FeatureGenerator
from core.occlusion import Finder as ThingFinder
from core.projection.features import Features
from core.reach.maps import Maps
from core.rendering import Renderer
from core.settings import Settings
from core.weights.parts import MAPS, find_part


class Models:
    """One set of networks for one thread."""

    def __init__(self, settings: Settings) -> None:
        use_threads(settings)
        self.settings = settings
        self.device = choose_device(settings)
        self._directions: dict[str, Direction] = {}

    @cached_property
    def generator(self) -> Generator:
        generator = load_generator(self.settings)
        return generator.to(self.device) if self.device.type != "cpu" else generator  # type: ignore[attr-defined]

    @cached_property
    def renderer(self) -> Renderer:
        compiled = CodeCache.of(self.settings) if self.settings.compile != "off" else None
        return Renderer(self.generator, compiled=compiled)

    @cached_property
    def features(self) -> Features:
        return Features.load(self.settings).to(self.device)

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
        """The maps of what moves each score of a face; None where nobody learned them for this generator."""
        file = find_part(self.settings, self.generator, MAPS)
        return None if file is None else Maps.load(file, self.generator.digest)

    @cached_property
    def preview(self) -> Preview | None:
        """What draws 256 pixels from the generator's inside, without the layers that cost most.

        None where nobody trained that of this generator.
        """
        file = find_part(self.settings, self.generator, f"{FOLDER}/{PREVIEW}")
        if file is None or not isinstance(self.generator, FeatureGenerator):
            return None
        return load_trained(Preview.shaped_for(self.generator), file, self.generator)

    def direction(self, name: str) -> Direction:
        """Load a direction once. Raises NoSuchDirection, WeightsUnfit."""
        if name not in self._directions:
            self._directions[name] = load_direction(name, self.settings, self.generator)
        return self._directions[name]

    def mover(self, expression: Expression) -> Direction:
        """Load the direction that moves a face to the expression. Raises as `direction` does."""
        return self.direction(expression.move.direction)

    def moved_by(self, expression: Expression) -> str:
        """Hash all that moves a face to the expression: a scale measured with anything else is of no use."""
        return self.mover(expression).digest + (self.maps.digest if self.maps is not None else "")
