"""Licences: the code's is in LICENSE, and data/WEIGHTS.md names every weight of the manifest with its source and terms."""

from __future__ import annotations

import tomllib
from pathlib import Path

from core.weights.manifest import load_manifest

ROOT = Path(__file__).parents[2]


def rows() -> dict[str, list[str]]:
    """Name of a weight -> the other cells of its row in data/WEIGHTS.md: purpose, package and version, terms, group."""
    lines = (ROOT / "data/WEIGHTS.md").read_text("utf-8").splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")]
    return {name.strip("`"): rest for name, *rest in cells}


def test_every_weight_is_told_with_its_package_version_and_group() -> None:
    expected = {
        weight.name: (f"{archive.package} {archive.version}", weight.group)
        for archive in load_manifest().archives
        for weight in archive.weights
    }
    assert {name: (package, group) for name, (_, package, _, group) in rows().items()} == expected


def test_no_weight_is_told_more_freely_than_the_manifest_does() -> None:
    """The first words of the manifest's terms open the row's, and a limit that the manifest names stands in the row too."""
    told = rows()
    for archive in load_manifest().archives:
        for weight in archive.weights:
            terms = told[weight.name][2]
            assert terms.replace("`", "").startswith(weight.licence.split(";")[0]), weight.name
            for limit in ("personal use only", "exclude commercial use", "StyleGAN2-FFHQ"):
                assert limit not in weight.licence or limit in terms, f"{weight.name}: {limit}"


def test_the_code_is_under_the_licence_that_the_package_claims() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["license"] == "MIT"
    assert (ROOT / "LICENSE").read_text().startswith("MIT License\n")
    assert {"LICENSE", "data/WEIGHTS.md"} <= set(project["license-files"]), "both travel in the wheel"
