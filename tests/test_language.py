"""docs/language.md is true: its programs are checked, emitted and run, faulty ones give the codes
that they are marked with; names, sources and lists that it shows are those that come out.

How a block of the page is marked, after its fence:

``spec``                 a whole file: no fault, no warning, and it runs in eager, train and eval
``spec E0302``           a whole file that gives these codes, in this order, and no other
``spec | x: float[N]``   the statements of a model with these inputs; codes may stand before the bar
``spec file PATH``       a file that later programs ``use``
``names``                every name in the state_dict of the program before it, in order
``python``               lines of the source emitted for the program before it
``console``              commands run beside the program before it, called ``net.spec``

Non-goal: the goldens of what the page shows, which ``specs/`` have.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from conftest import ROOT, Run
from safetensors.torch import save_file

from specc import catalog, front
from specc.api import stem_of
from specc.codes import CODES
from specc.emit import emit
from specc.errors import SpecError
from specc.harness.cases.case import DRAWS, close
from specc.harness.cases.corners import levels
from specc.harness.cases.matrix import cases
from specc.harness.running.observe import Setting, observe
from specc.ir import Program
from specc.targets.live import module_class

PAGE = (ROOT / "docs" / "language.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^```(\w*)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CHECKPOINT = re.compile(r'^ *weights "(.*)"\n', re.MULTILINE)
EAGER = Setting("eager", "cpu", "float32")


@dataclass
class Block:
    """A fenced block of the page; ``before`` is the last whole program above it."""

    language: str
    marks: str
    text: str
    line: int
    before: Block | None = None
    codes: list[str] = field(default_factory=list)
    file: str = "net.spec"

    def __str__(self) -> str:
        return f"line-{self.line}"


def _blocks() -> list[Block]:
    found: list[Block] = []
    last: Block | None = None
    for match in FENCE.finditer(PAGE):
        line = PAGE.count("\n", 0, match.start()) + 1
        block = Block(match[1], match[2].strip(), match[3], line, last)
        found.append(block)
        if block.language != "spec":
            continue
        marks, bar, inputs = block.marks.partition("|")
        block.codes = re.findall(r"\b[EW]\d{4}\b", marks)
        named = re.search(r"file (\S+)", marks)
        if named:
            block.file = named[1]
        if bar:
            frame = "".join(f"  input {each.strip()}\n" for each in inputs.split(";"))
            body = "".join(f"  {row}\n" for row in block.text.splitlines())
            block.text = f"spec 1\n\nmodel Net {{\n{frame}{body}}}\n"
        elif not block.codes and not named:
            last = block
    return found


BLOCKS = _blocks()
SPECS = [block for block in BLOCKS if block.language == "spec"]
GOOD = [block for block in SPECS if block.file == "net.spec" and not any(
    code.startswith("E") for code in block.codes)]  # fmt: skip
FAULTY = [block for block in SPECS if block not in GOOD and block.file == "net.spec"]


def kind(language: str) -> list[Block]:
    return [block for block in BLOCKS if block.language == language]


def written(block: Block, folder: Path) -> Path:
    """The block as a file, and beside it every file of the page that a program may use."""
    for each in SPECS:
        if each.file != "net.spec":
            place = folder / each.file
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(each.text, encoding="utf-8")
    path = folder / block.file
    path.write_text(block.text, encoding="utf-8")
    return path


def program_of(block: Block, folder: Path) -> Program:
    return front.read(written(block, folder))


def finite(program: Program, mode: str) -> None:
    """Everything that a run of the program shows is there, and is a number."""
    case = next(case for case in cases(program) if case.mode == mode)
    # A row of a mask that holds everywhere has no number behind a softmax.
    draw = DRAWS * levels(program)[-1]
    run = observe(program, close(program, case, draw), emit(program), EAGER)
    assert run.observations
    for seen in run.observations:
        assert not seen.nonfinite, seen.name


# ── programs ─────────────────────────────────────────────────────────────────────────────────────


def test_the_page_has_programs_of_every_kind() -> None:
    assert len(GOOD) >= 30
    assert len(FAULTY) > 10
    assert {block.language for block in BLOCKS} == {"spec", "names", "python", "console"}


@pytest.mark.parametrize("block", GOOD, ids=str)
def test_a_program_runs(block: Block, tmp_path: Path) -> None:
    path = written(block, tmp_path)
    program, diagnostics, _ = front.check(path, tested=True)
    assert [f"{item.code}: {item.message}" for item in diagnostics if item.code not in block.codes
            ] == []  # fmt: skip
    assert [item.code for item in diagnostics] == block.codes
    assert program is not None
    if program.test.samples:
        _save_samples(program, tmp_path)
    for mode in program.test.modes:
        finite(program, mode)


def _save_samples(program: Program, folder: Path) -> None:
    """Writes the files that the program's test reads inputs from."""
    plain = dataclasses.replace(program, test=dataclasses.replace(program.test, samples=()))
    batch = close(plain, cases(plain)[0]).batches[0]
    drawn = {name: tensor for name, tensor in (*batch.inputs, *batch.labels)}
    for name, file in program.test.samples:
        save_file({name: drawn[name].contiguous()}, folder / file)


@pytest.mark.parametrize("block", [b for b in GOOD if CHECKPOINT.search(b.text)], ids=str)
def test_a_program_starts_from_its_checkpoint(block: Block, tmp_path: Path) -> None:
    import specc

    path = written(block, tmp_path)
    found = CHECKPOINT.search(block.text)
    assert found is not None
    fresh = dataclasses.replace(block, text=CHECKPOINT.sub("", block.text), file="fresh.spec")
    state = specc.load(written(fresh, tmp_path)).state_dict()
    save_file(state, tmp_path / found[1])
    loaded = specc.load(path).state_dict()
    assert all(torch.equal(loaded[name], state[name]) for name in state)


@pytest.mark.parametrize("block", FAULTY, ids=str)
def test_a_faulty_program_gives_its_codes(block: Block, tmp_path: Path) -> None:
    program, diagnostics, _ = front.check(written(block, tmp_path))
    if program is not None:
        with pytest.raises(SpecError) as caught:
            cases(program)
        diagnostics += caught.value.diagnostics()
    assert [item.code for item in diagnostics] == block.codes


# ── what is shown of them ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("block", kind("names"), ids=str)
def test_the_names_are_those_of_the_state_dict(block: Block, tmp_path: Path) -> None:
    assert block.before is not None
    program = program_of(block.before, tmp_path)
    module = module_class(emit(program), program.subject().name, stem_of(program.file))()
    assert list(module.state_dict()) == block.text.split()


@pytest.mark.parametrize("block", kind("python"), ids=str)
def test_the_source_is_what_is_emitted(block: Block, tmp_path: Path) -> None:
    assert block.before is not None
    source = emit(program_of(block.before, tmp_path))
    assert block.text in source


@pytest.mark.parametrize("block", kind("console"), ids=str)
def test_a_command_prints_what_is_shown(block: Block, tmp_path: Path, specc: Run) -> None:
    assert block.before is not None
    written(block.before, tmp_path)
    for shown in block.text.split("$ specc ")[1:]:
        command, _, output = shown.partition("\n")
        result = specc(*command.split(), cwd=tmp_path)
        assert output.strip() in result.stdout + result.stderr


# ── what is said of them ─────────────────────────────────────────────────────────────────────────


def test_every_link_within_the_page_leads_somewhere() -> None:
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", PAGE), re.MULTILINE)
    slugs = {re.sub(r"[^a-z0-9_ -]", "", text.lower()).replace(" ", "-") for text in headings}
    links = set(re.findall(r"\]\(#([^)]*)\)", PAGE))
    assert len(links) > 20
    assert links <= slugs


def test_every_code_that_is_named_exists() -> None:
    named = set(re.findall(r"\b[EW]\d{4}\b", PAGE))
    assert named <= CODES.keys()


@pytest.mark.parametrize(
    "table",
    ["LAYERS", "FUNCTIONS", "LOSSES", "METRICS", "OPTIMIZERS", "SCHEDULERS", "INITS", "WRAPPERS",
     "REGULARIZERS", "CONSTRAINTS", "CLIPS"],
)  # fmt: skip
def test_the_page_lists_all_of_the_catalogue(table: str) -> None:
    """Each name stands in the row of the list that is headed by the table's name."""
    row = next(row for row in PAGE.splitlines() if row.startswith(f"| {table.lower()} |"))
    assert set(re.findall(r"`(\w+)`", row)) == getattr(catalog, table).keys()
