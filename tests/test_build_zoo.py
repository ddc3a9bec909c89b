"""``specc build`` of every spec of the zoo in every target: written, loaded back and proved.

``--exhaustive`` compiles all of the zoo; without it a dozen is compiled, which has every kind of
layer, noise, and several models. Non-goals: what the proof sees (``test_prove``), goldens."""

from __future__ import annotations

from pathlib import Path

import pytest

import specc
from specc import front
from specc.targets import TARGETS

SPECS = sorted((Path(__file__).parent.parent / "specs").glob("*.spec"))
# What is compiled by default: cheap to compile, and each for something of its own.
COMPILED = (
    "actor_critic",  # two models
    "gru_tagger",  # left to eager around a recurrent layer
    "logistic_regression",
    "matrix_factorization",
    "mixture_of_experts",
    "mlp",
    "mnist_cnn",
    "multitask_cnn",
    "seq2seq_attention",
    "siamese_triplet",
    "transformer_classifier",
    "vae",
)  # fmt: skip
# What torch.export binds, by spec: recurrent layers are unrolled over their sequence.
BOUND = {
    "ctc": {"T"},
    "gru_tagger": {"T"},
    "lstm_classifier": {"T"},
    "multitask_lstm": {"T"},
    "seq2seq_attention": {"T", "U"},
    # Its guards ask whether windows of windows lie one behind the other.
    "swin": {"H", "W"},
}


def build(spec: Path, folder: Path, target: str) -> None:
    """Built and proved, and no artefact bound to a size that is not known to be."""
    program = front.read(spec)
    said: list[str] = []
    written = specc.build(spec, folder, target=target, say=said.append)
    several = [model.name for model in program.models if len(program.models) > 1]
    chosen = TARGETS[target]
    expected = [TARGETS["eager"].artefact(folder, spec.stem)] + [
        chosen.artefact(folder, spec.stem, model) for model in several or [None]
    ]
    assert written == list(dict.fromkeys(expected))
    assert sorted(folder.iterdir()) == sorted(written)
    names = {name for path in written if path.suffix == chosen.suffix
             for name in chosen.facts(path).sizes()}  # fmt: skip
    assert names == (BOUND.get(spec.stem, set()) if target == "export" else set())
    assert any("bound to" in note for note in said) == bool(names)


@pytest.mark.parametrize(
    ("spec", "target"),
    [
        # torch.export takes two minutes to see what Swin's windows ask of any image size.
        pytest.param(
            spec,
            target,
            id=f"{spec.stem}-{target}",
            marks=pytest.mark.exhaustive if (spec.stem, target) == ("swin", "export") else (),
        )
        for spec in SPECS
        for target in ("eager", "torchscript", "export")
    ],
)
def test_every_spec_is_built(spec: Path, target: str, tmp_path: Path) -> None:
    build(spec, tmp_path, target)


@pytest.mark.slow
@pytest.mark.parametrize(
    "spec",
    [
        pytest.param(spec, marks=() if spec.stem in COMPILED else pytest.mark.exhaustive)
        for spec in SPECS
    ],
    ids=lambda spec: spec.stem,
)
def test_specs_are_compiled(spec: Path, tmp_path: Path) -> None:
    build(spec, tmp_path, "compile")


def test_what_is_compiled_is_there() -> None:
    assert set(COMPILED) <= {spec.stem for spec in SPECS} and len(COMPILED) == 12
