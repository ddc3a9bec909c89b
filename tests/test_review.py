"""``specc diff``, ``bless --check`` and ``bless --review`` as a user runs them, on a small spec."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from specc.cli.app import app
from specc.cli.shared import review as reviewing
from specc.harness.goldens import golden_reader

SPEC = """spec 1

model Net {
  input x: float[N, 3]
  output x -> fc: Linear(2)
}

train {
  input y: float[N, 2]
  loss = MSELoss(output, y)
  optimizer SGD(lr=0.1)
}

test {
  sizes N=4
  targets eager
  modes train
}
"""


@pytest.fixture(scope="module")
def blessed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("project")
    (root / "net.spec").write_text(SPEC)
    (root / "golden").mkdir()
    result = CliRunner().invoke(app, ["bless", str(root / "net.spec")])
    assert result.exit_code == 0, result.output
    return root


@pytest.fixture
def project(blessed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the blessed project, which is the current folder."""
    shutil.copytree(blessed, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str, answers: str = "") -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments), input=answers)
    return result.exit_code, result.output


def rewrite(project: Path) -> bytes:
    """Another learning rate in the spec; gives the golden as it is."""
    spec = project / "net.spec"
    spec.write_text(spec.read_text().replace("lr=0.1", "lr=0.2"))
    return golden(project)


def golden(project: Path) -> bytes:
    return (project / "golden/net/train/golden.json").read_bytes()


def test_a_check_writes_nothing_and_says_what_moved(project: Path) -> None:
    status, text = run("bless", "--check", "net.spec")
    assert status == 0 and "tensors are as they were" in text
    before = rewrite(project)
    status, text = run("bless", "--check", "net.spec")
    assert status == 3 and "stale" in text and "step0/lr/group0" in text
    assert "was 0.1 and is 0.2" in text and "step0/delta/fc.weight" in text
    assert golden(project) == before
    shutil.rmtree(project / "golden/net")
    status, text = run("bless", "--check", "net.spec")
    assert status == 3 and "no golden" in text and not (project / "golden/net").exists()


def test_a_moved_value_of_the_same_spec_is_a_regression(project: Path) -> None:
    path = project / "golden/net/train"
    spec = project / "net.spec"
    spec.write_text(SPEC.replace("MSELoss(output, y)", "MSELoss(output * 1.001, y)"))
    assert run("bless", "net.spec")[0] == 0
    # The golden of another computation under this spec's name, as a regression would look.
    header = (path / "golden.json").read_text().splitlines()
    spec.write_text(SPEC)
    other = project / "other"
    shutil.copytree(path, other)
    assert run("bless", "net.spec")[0] == 0
    own = (path / "golden.json").read_text().splitlines()
    number = next(k for k, line in enumerate(own) if '"spec"' in line)
    header[number] = own[number]
    shutil.rmtree(path)
    shutil.copytree(other, path)
    raw = json.loads("\n".join(header))
    (path / "golden.json").write_text(json.dumps(raw | {"digest": golden_reader.seal(raw)}))
    status, text = run("bless", "--check", "net.spec")
    assert status == 1 and "step0/loss/loss" in text and "floors" in text


@pytest.mark.usefixtures("project")
def test_a_review_wants_somebody_to_answer() -> None:
    status, text = run("bless", "--review", "net.spec")
    assert status == 2 and "E0809" in text
    assert run("bless", "--review", "--check", "net.spec")[0] == 2


@pytest.mark.parametrize("answers", ["n\n", "q\n", "l\nq\n"])
def test_a_review_that_takes_nothing_writes_nothing(
    project: Path, monkeypatch: pytest.MonkeyPatch, answers: str
) -> None:
    monkeypatch.setattr(reviewing, "interactive", lambda: True)
    before = rewrite(project)
    status, _ = run("bless", "--review", "net.spec", answers=answers)
    assert status == 0
    # The spec is another, so leaving every value still takes the new spec's hash when asked to.
    assert (golden(project) == before) == ("q" in answers)


def test_a_review_takes_and_leaves(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reviewing, "interactive", lambda: True)
    rewrite(project)
    status, text = run("bless", "--review", "net.spec", answers="l\nwhat\na\n")
    assert status == 0 and "written, 1 left" in text
    # What was left is as it was, and is what a check still tells.
    status, text = run("bless", "--check", "net.spec")
    assert status == 1
    assert sum("floors" in line for line in text.splitlines() if "tensors" not in line) <= 1
    status, text = run("bless", "--review", "net.spec", answers="t\n")
    assert status == 0 and run("bless", "--check", "net.spec")[0] == 0


def git(*arguments: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *arguments], check=True, capture_output=True)


@pytest.mark.usefixtures("project")
def test_a_diff_of_two_revisions() -> None:
    git("init", "-q", ".")
    git("add", ".")
    git("commit", "-qm", "one")
    assert run("diff", "HEAD", "net.spec")[0] == 0
    rewrite(Path())
    assert run("bless", "net.spec")[0] == 0
    status, text = run("diff", "HEAD", "net.spec")
    assert status == 1 and "was 0.1 and is 0.2" in text and "the spec's meaning was" in text
    git("commit", "-qam", "two")
    assert run("diff", "HEAD~1:net.spec", "HEAD:golden/net") == run("diff", "HEAD~1", "golden/net")
    shutil.copytree("golden/net", "copy")
    assert run("diff", "copy", "golden/net")[0] == 0
    shutil.rmtree("copy/train")
    shutil.copytree("golden/net/train", "copy/eval")
    status, text = run("diff", "copy", "golden/net")
    assert status == 1 and "eval: only in the old" in text


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("nowhere", "net.spec", "E0701"),
        ("nowhere", "neither", "E0701"),
        ("--output=x", "net.spec", None),
        ("a\0b", "net.spec", "E0701"),
        ("net.spec", "empty", "E0808"),
    ],
)
def test_a_diff_of_what_is_not_there(old: str, new: str, code: str | None) -> None:
    Path("empty").mkdir()
    status, text = run("diff", old, new)
    assert status == 2 and (code is None or code in text)


def test_a_diff_of_a_broken_golden(project: Path) -> None:
    shutil.copytree("golden/net", "copy")
    (project / "copy/train/golden.json").write_text("{")
    status, text = run("diff", "copy", "golden/net")
    assert status == 3 and "E0802" in text


def test_goldens_of_cases_that_are_gone_are_told(project: Path) -> None:
    told = "of no case of the spec any more, to be deleted: "
    assert told not in run("bless", "--check", "net.spec")[1]
    shutil.copytree("golden/net/train", "golden/net/train-N9")
    # Another spec's, which lies in a folder of this one's name.
    shutil.copytree("golden/net/train", "golden/net/inner/eval")
    status, text = run("bless", "--check", "net.spec")
    assert status == 0 and f"{told}train-N9\n" in text
    spec = project / "net.spec"
    spec.write_text(spec.read_text().replace("modes train", "modes eval"))
    status, text = run("bless", "net.spec")
    assert status == 0 and f"{told}train, train-N9\n" in text
    assert Path("golden/net/train-N9").is_dir()
