"""The zoo against what was published: names and shapes of checkpoints, sizes by ``--set``.

The list of ResNet-18's tensors is torchvision's, typed in as its rules. Non-goals: that the emitted
source is what the live module is (``test_round_trip``), that numbers stay (the goldens)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import prod
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import specc
from specc import front, run_choice

SPECS = Path(__file__).parent.parent / "specs"

Shape = tuple[int, ...]
RESNET18 = {"width": 64, "classes": 1000}


def _normalised(name: str, channels: int) -> Iterator[tuple[str, Shape]]:
    for tensor in ("weight", "bias", "running_mean", "running_var"):
        yield f"{name}.{tensor}", (channels,)
    yield f"{name}.num_batches_tracked", ()


def published_resnet18() -> dict[str, Shape]:
    """The tensors of torchvision's ``resnet18`` in their order: 11,689,512 parameters."""
    found: dict[str, Shape] = {"conv1.weight": (64, 3, 7, 7), **dict(_normalised("bn1", 64))}
    incoming = 64
    for stage, channels in enumerate((64, 128, 256, 512), start=1):
        for block in range(2):
            at = f"layer{stage}.{block}"
            found[f"{at}.conv1.weight"] = (channels, incoming, 3, 3)
            found.update(_normalised(f"{at}.bn1", channels))
            found[f"{at}.conv2.weight"] = (channels, channels, 3, 3)
            found.update(_normalised(f"{at}.bn2", channels))
            if incoming != channels:
                found[f"{at}.downsample.0.weight"] = (channels, incoming, 1, 1)
                found.update(_normalised(f"{at}.downsample.1", channels))
            incoming = channels
    return {**found, "fc.weight": (1000, 512), "fc.bias": (1000,)}


def test_the_published_list_is_of_the_published_size() -> None:
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    learned = [shape for name, shape in published_resnet18().items()
               if not name.endswith(statistics)]  # fmt: skip
    assert sum(map(prod, learned)) == 11_689_512


def test_resnet18_has_the_published_names_and_shapes() -> None:
    state = specc.load(SPECS / "resnet18.spec", params=RESNET18).state_dict()
    assert [(name, tuple(tensor.shape)) for name, tensor in state.items()] == [
        *published_resnet18().items()
    ]


def test_resnet18_loads_a_checkpoint_of_the_published_form(tmp_path: Path) -> None:
    draw = torch.Generator().manual_seed(0)
    published = {
        name: torch.rand(shape, generator=draw) if shape else torch.tensor(7)
        for name, shape in published_resnet18().items()
    }
    save_file(published, tmp_path / "resnet18.safetensors")
    torch.save(published, tmp_path / "resnet18.pth")
    image = torch.rand(1, 3, 64, 64, generator=draw)
    outputs = []
    for state in (
        load_file(tmp_path / "resnet18.safetensors"),
        torch.load(tmp_path / "resnet18.pth", weights_only=True),
    ):
        model = specc.load(SPECS / "resnet18.spec", params=RESNET18).eval()
        model.load_state_dict(state, strict=True)
        assert all(torch.equal(tensor, published[name])
                   for name, tensor in model.state_dict().items())  # fmt: skip
        outputs.append(model(image))
    assert torch.equal(*outputs)


# What the published implementations count: milesial's U-Net, Keras' MobileNet, torchvision's
# vgg11_bn less the biases before BatchNorm (2,752), torchvision's vit_b_16, timm's mixer_b16_224.
PUBLISHED = {
    "unet": ({"width": 64, "classes": 2}, 31_037_698),
    "mobilenet": ({"width": 32, "depth": 5, "classes": 1000}, 4_231_976),
    "vgg11_bn": ({"width": 64, "hidden": 4096, "classes": 1000}, 132_868_840 - 2_752),
    "vit": (
        {"side": 224, "patch": 16, "dim": 768, "depth": 12, "heads": 12, "classes": 1000},
        86_567_656,
    ),
    "mlp_mixer": (
        {"side": 224, "patch": 16, "dim": 768, "depth": 12, "classes": 1000}, 59_880_472,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_sizes_have_as_many_parameters_as_were_published(name: str) -> None:
    params, count = PUBLISHED[name]
    model = front.read(SPECS / f"{name}.spec", params).model()
    assert sum(prod(shape) for _, _, shape in model.parameters()) == count


def told_sizes() -> Iterator[tuple[str, list[str], str]]:
    """What the head of a spec says of its published size: its name, what to set, and how many
    parameters it then has."""
    for path in sorted(SPECS.glob("*.spec")):
        comment = [line[2:] for line in path.read_text().splitlines() if line.startswith("# ")]
        for count, settings in re.findall(r"([\d,]+) parameters: `(.+?)`", " ".join(comment)):
            yield path.stem, settings.removeprefix("--set ").split(" --set "), count


@pytest.mark.parametrize(("name", "settings", "count"), list(told_sizes()))
def test_a_published_size_has_as_many_parameters_as_its_spec_says(
    name: str, settings: list[str], count: str
) -> None:
    model = front.read(SPECS / f"{name}.spec", run_choice.settings(settings)).model()
    assert f"{sum(prod(shape) for _, _, shape in model.parameters()):,}" == count


def test_published_sizes_are_told() -> None:
    assert {"bert_pretraining", "convnext", "ctc", "llama"} <= {name for name, *_ in told_sizes()}


def test_a_unet_asks_for_sizes_that_can_be_halved_as_often_as_it_is_deep() -> None:
    for depth in (2, 4):
        model = front.read(SPECS / "unet.spec", {"depth": depth}).model()
        divisor = 2**depth
        assert {f"H % {divisor} == 0", f"W % {divisor} == 0"} <= set(map(str, model.conditions))


def test_resnet18s_golden_of_three_steps_is_below_a_megabyte() -> None:
    """With its gradients, every step's change and state, and the floors of its layers."""
    folder = SPECS.parent / "golden" / "specs" / "resnet18" / "train"
    assert '"steps": 3' in (folder / "golden.json").read_text()
    assert sum(file.stat().st_size for file in folder.iterdir()) < 1_000_000
