"""Every kind of leaf comes back as it was; nothing that was edited or damaged does; no file costs
much to refuse."""

from __future__ import annotations

import copy
import json
import math
import random
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from harness_support import LSTM_SOURCE, MLP_SOURCE, lstm, mlp
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from specc.errors import GoldenCorrupt
from specc.harness.blessing.bless import make
from specc.harness.cases.matrix import cases
from specc.harness.floors.floor_statistics import ENDLESS, Floor
from specc.harness.floors.per_layer_floor import AloneFloor
from specc.harness.goldens import golden_reader
from specc.harness.goldens.golden import Golden, files, read, write
from specc.harness.goldens.golden_reader import Leaf
from specc.harness.running.recorder import Recorder
from specc.harness.running.sketch import BUCKETS, is_sketched, not_finite
from specc.ir import Program

# ── every kind of leaf ───────────────────────────────────────────────────────────────────────────

SHAPES = [(), (0,), (1,), (5,), (3, 4), (BUCKETS,), (BUCKETS + 1,), (20, 30), (2, BUCKETS), (2, 0)]
DTYPES = [torch.float64, torch.float32, torch.complex128, torch.int64, torch.bool]
SPECIAL = [math.nan, math.inf, -math.inf]
SCALES = [1.0, 1e-320, 1e-200, 1e200, 1e308, 0.0]


@st.composite
def tensors(draw: st.DrawFn) -> torch.Tensor | None:
    if draw(st.integers(0, 9)) == 0:
        return None
    shape, dtype = draw(st.sampled_from(SHAPES)), draw(st.sampled_from(DTYPES))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 99)))
    if not (dtype.is_floating_point or dtype.is_complex):
        return torch.randint(0, 2, shape, generator=generator).to(dtype)
    scale = draw(st.sampled_from(SCALES)) if dtype == torch.float64 else 1.0
    value = scale * (torch.rand(shape, dtype=dtype, generator=generator) - 0.5)
    flat = (torch.view_as_real(value) if dtype.is_complex else value).reshape(-1)
    how = draw(st.sampled_from(["finite", "some", "all", "one channel"]))
    if how == "one channel":
        flat[torch.arange(len(flat)) % BUCKETS != 1] = 0.0
    count = {"some": min(3, len(flat)), "all": len(flat)}.get(how, 0)
    for place in range(count):
        flat[place * (len(flat) // count)] = draw(st.sampled_from(SPECIAL))
    return value


@settings(max_examples=150, deadline=None)
@given(tensors(), st.sampled_from([3e-8, 1e-3, 0.9, 7.0, math.inf, math.nan]))
def test_every_kind_of_leaf_comes_back(value: torch.Tensor | None, rms: float) -> None:
    program = mlp()
    recorder = Recorder(program, torch.float64, statistics=True)
    recorder.tensor("eval/output/y", value)
    recorder.exact("step0/lr/group0", 0.1, math.inf, math.nan)
    first, rate = recorder.observations
    floor = Floor(rms, 2 * rms)
    leaves = (
        Leaf(first, {} if first.values is None or first.exact else {"float32": floor}),
        Leaf(rate, {}),
    )
    alone = {"eval/alone/fc1": {"float32": AloneFloor(rms, 2 * rms, rms)}}
    case = cases(program)[1]
    made = Golden(case, 0, "float32", 0, ("float32",), {}, ("note",), leaves, alone)
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files(program, made).items():
            (Path(folder) / name).write_bytes(content)
        found = golden_reader.load(Path(folder), "bless")
    for leaf, before in zip(found.leaves, leaves, strict=True):
        one, other = leaf.reference, before.reference
        assert (one.name, one.line, one.shape, one.dtype) == (
            other.name, other.line, other.shape, other.dtype,
        )  # fmt: skip
        assert (one.nonfinite, one.exact, one.rms) == (other.nonfinite, other.exact, other.rms)
        if other.values is None:
            assert one.values is None
        else:
            assert one.values is not None and torch.equal(one.values, other.values)
        assert leaf.floors == {name: floor.written for name, floor in before.floors.items()}
        assert all(0 < floor.rms <= ENDLESS for floor in leaf.floors.values())
    assert (
        golden_reader.alone(found.header)["eval/alone/fc1"]["float32"]
        == alone["eval/alone/fc1"]["float32"].written
    )
    assert not_finite(rate.nonfinite) == {"NaN": 1, "inf": 1}
    if value is not None and first.shape and not first.exact:
        parts = torch.view_as_real(value) if value.is_complex() else value
        finite = parts[torch.isfinite(parts)].double()
        assert first.not_finite == parts.numel() - finite.numel()
        # Over what is finite, in numbers whose squares no type holds.
        largest = float(finite.abs().max()) if finite.numel() else 0.0
        assert first.largest == largest
        if largest > 0.0 and not is_sketched(parts.numel()):
            wanted = largest * math.sqrt(float((finite / largest).square().mean()))
            assert first.rms == pytest.approx(wanted, rel=1e-6, abs=1e-323)


# ── what was edited or damaged ───────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Program, Path, Path]]:
    """Of an MLP's training and an LSTM's evaluation: the program, its root, its golden's folder."""
    found = []
    for name, program_of, source in (("mlp", mlp, MLP_SOURCE), ("lstm", lstm, LSTM_SOURCE)):
        root = tmp_path_factory.mktemp(name)
        (root / "golden").mkdir()
        program = program_of(root)
        case = cases(program)[0]
        found.append(
            (program, root, write(program, make(program, case, source, ("float32",)), root))
        )
    return found


def _said(golden: Golden) -> object:
    """All that a verdict depends on."""
    leaves = [
        (
            leaf.reference.name,
            leaf.reference.shape,
            leaf.reference.dtype,
            leaf.reference.nonfinite,
            leaf.reference.exact,
            leaf.reference.rms,
            None if leaf.reference.values is None else leaf.reference.values.tolist(),
            leaf.floors,
        )
        for leaf in golden.leaves
    ]
    return golden.draw, golden.grid, golden.dtypes, golden.notes, leaves, dict(golden.alone)


def _refused(program: Program, root: Path, before: object) -> bool:
    """Whether the golden is refused; else it must say what it said."""
    try:
        found = read(program, cases(program)[0], root)
    except GoldenCorrupt as error:
        assert error.help
        return True
    assert _said(found) == before
    return False


def test_no_flipped_bit_is_judged_by(written: list[tuple[Program, Path, Path]]) -> None:
    draws = random.Random(0)
    for program, root, folder in written:
        before = _said(read(program, cases(program)[0], root))
        for name in ("golden.json", "reference.safetensors"):
            content = (folder / name).read_bytes()
            for _ in range(130):
                place, bit = draws.randrange(len(content)), draws.randrange(8)
                flipped = bytearray(content)
                flipped[place] ^= 1 << bit
                (folder / name).write_bytes(flipped)
                _refused(program, root, before)
            (folder / name).write_bytes(content)


def _numbers(raw: Any, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Every (container, key) below ``raw``."""
    for key, value in list(raw.items() if isinstance(raw, dict) else enumerate(raw)):
        found.append((raw, key))
        if isinstance(value, (dict, list)):
            _numbers(value, found)
    return found


def _by_hand(raw: dict[str, Any], draws: random.Random) -> bool:
    """One edit such as people make; whether anything changed."""
    before = json.dumps(raw, sort_keys=True)
    places = [place for place in _numbers(raw, []) if place[1] != "digest" or place[0] is not raw]
    container, key = draws.choice(places)
    value = container[key]
    match draws.randrange(4):
        case 0:
            del container[key]
        case 1 if isinstance(value, bool) or value is None:
            container[key] = not value
        case 1 if isinstance(value, (int, float)):
            container[key] = value * draws.choice([0, 10, 1e9, -1, 1 + 1e-12])
        case 1 if isinstance(value, str):
            container[key] = value[:-1] + draws.choice("0x")
        case 2:
            container[key] = draws.choice([[], {}, 0, "", 1e9, None])
        case _:
            other = draws.choice(places)
            container[key] = copy.deepcopy(other[0][other[1]])
    return json.dumps(raw, sort_keys=True) != before


def test_no_edit_by_hand_is_judged_by(written: list[tuple[Program, Path, Path]]) -> None:
    draws = random.Random(1)
    for program, root, folder in written:
        path = folder / "golden.json"
        text = path.read_text()
        before = _said(read(program, cases(program)[0], root))
        made = 0
        while made < 100:
            raw = json.loads(text)
            if not _by_hand(raw, draws):
                continue
            made += 1
            path.write_text(json.dumps(raw))
            assert _refused(program, root, before), raw
        path.write_text(text)
        # Other spaces and line ends say the same.
        path.write_bytes(json.dumps(json.loads(text), indent=1).replace("\n", "\r\n").encode())
        assert not _refused(program, root, before)
        path.write_text(text)


def test_no_edit_of_the_numbers_is_judged_by(written: list[tuple[Program, Path, Path]]) -> None:
    edits: list[Callable[[dict[str, torch.Tensor], str], object]] = [
        lambda tensors, name: tensors.pop(name),
        lambda tensors, name: tensors.update({name: tensors[name] * 1.001}),
        lambda tensors, name: tensors.update({name: tensors[name].float()}),
        lambda tensors, name: tensors.update({name: tensors[name][:-1]}),
        lambda tensors, name: tensors.update({name: tensors[name].new_zeros(5)}),
        lambda tensors, name: tensors.update({f"{name}/2": tensors[name].clone()}),
        lambda tensors, name: tensors.update({name: tensors[name].reshape(-1, 1)}),
        lambda tensors, name: tensors.update({name: torch.full_like(tensors[name], math.nan)}),
    ]
    for program, root, folder in written:
        path = folder / "reference.safetensors"
        content = path.read_bytes()
        before = _said(read(program, cases(program)[0], root))
        names = sorted(load_file(path))[::3]
        for number, name in enumerate(names):
            tensors = load_file(path)
            edits[number % len(edits)](tensors, name)
            save_file(tensors, path)
            # A thousandth more of zero, and a shape of one number, say the same.
            same = not _refused(program, root, before)
            assert not same or not tensors[name].any(), name
            path.write_bytes(content)


# ── what it costs to refuse ──────────────────────────────────────────────────────────────────────

_MEASURED = """
    import os, resource, sys, time
    from pathlib import Path
    import pydantic, safetensors.torch, specc.harness.goldens.golden_schema
    from specc.errors import GoldenCorrupt
    from specc.harness.goldens import golden_reader

    def used():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

    pages = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (pages + (500 << 20), resource.RLIM_INFINITY))
    for folder in sys.argv[1:]:
        if os.fork():
            os.wait()
            continue
        before, start = used(), time.process_time()
        try:
            golden_reader.load(Path(folder), "bless")
        except GoldenCorrupt as error:
            taken = time.process_time() - start
            told = (Path(folder).name, taken, used() - before, error.message[-60:])
            print(*told, sep="|", flush=True)
        os._exit(0)
"""


_STORED = Path(__file__).with_name("stored_goldens") / "format3" / "golden.json"


def _many(form: str, count: int) -> str:
    return ",".join(form.replace("#", str(number)) for number in range(count))


def _object(inside: str) -> str:
    return "{" + inside + "}"


def _list(inside: str) -> str:
    return "[" + inside + "]"


def _with(**parts: str) -> str:
    """A golden of the third format, with parts as JSON of ours."""
    raw = {key: json.dumps(value) for key, value in json.loads(_STORED.read_text()).items()}
    return _object(",".join(f'"{key}":{value}' for key, value in (raw | parts).items()))


COSTLY: dict[str, Callable[[], str]] = {
    "unknown keys": lambda: _object(_many('"k#":0', 2_000_000)),
    "unknown keys, fewer": lambda: _object('"format":3,' + _many('"k#":0', 190_000)),
    "keys that stand twice": lambda: _object(_many('"a":1', 190_000)),
    "the last key twice": lambda: _object(_many('"k#":1', 190_000) + ',"k189999":1'),
    "deep": lambda: "[" * 20_000_000,
    "deep, and not over the limit": lambda: "[" * 190_000,
    "deep in a golden": lambda: _object('"format":4,"a":' + "[" * 900 + "]" * 900),
    "empty lists": lambda: _list(_many("[]", 95_000)),
    "a whole number without end": lambda: _object('"format":' + "9" * 30_000_000),
    "a fraction without end": lambda: _object('"format":0.' + "9" * 30_000_000),
    "an exponent without end": lambda: _object('"format":1e' + "9" * 30_000_000),
    "long text": lambda: _object('"format":"' + "é" * 15_000_000 + '"'),
    "long names": lambda: _with(params=_object('"' + "é" * 15_000_000 + '":"a"')),
    "unknown keys of rows": lambda: _with(tensors=_list(_many('{"x":0}', 95_000))),
    "unknown keys of a row": lambda: _with(tensors=_list(_object(_many('"k#":0', 190_000)))),
    "rows of no tensors": lambda: _with(
        tensors=_list(_many('{"name":"a#","line":1,"kind":"whole"}', 45_000))
    ),
    "wrong notes": lambda: _with(notes=_list(_many("0", 190_000))),
    "wrong provenance": lambda: _with(provenance=_object(_many('"k#":[]', 95_000))),
    "wrong sizes": lambda: _with(case=_object('"sizes":' + _object(_many('"k#":-1', 190_000)))),
    "wrong layers": lambda: _with(alone=_object(_many('"k#":{"f":[0,0]}', 45_000))),
    "many rows that lack what they need": lambda: json.dumps(
        (raw := json.loads(_with(tensors=_list(_many('{"name":"a#","line":1}', 60_000)))))
        | {"format": 4, "digest": golden_reader.seal(raw | {"format": 4})}
    ),
}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="measures by Linux's /proc")
def test_what_is_refused_costs_little(tmp_path: Path) -> None:
    for number, text in enumerate(COSTLY.values()):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "golden.json").write_text(text(), encoding="utf-8")
    folders = [str(tmp_path / str(number)) for number in range(len(COSTLY))]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(_MEASURED), *folders],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    told = {line.split("|")[0]: line.split("|") for line in done.stdout.splitlines()}
    for number, name in enumerate(COSTLY):
        assert str(number) in told, (name, done.stderr[-500:])
        _, seconds, memory, reason = told[str(number)]
        assert float(seconds) < 2.0 and int(memory) < 500 << 20, (name, seconds, memory, reason)
