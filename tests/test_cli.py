"""The command line from outside: what it prints, how it ends, how fast; never a traceback."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from conftest import ROOT, Run

from specc.cli.shared.paths import default_paths, spec_files
from specc.cli.shared.verb import verb
from specc.errors import CallError, Status

GOOD = """spec 1

model Net {
  input x: float[N, 4]
  y = x -> fc: Linear(2)
  output y
}

train {
  input label: float[N, 2]
  loss = MSELoss(y, label)
  optimizer SGD(lr=0.1)
}

test {
  sizes N=4
  steps 2
  modes train
  targets eager
  devices cpu
}
"""
FAULTY = GOOD.replace("Linear(2)", "Linaer(2)").replace("SGD", "SDG")
VERBS = ("check", "show", "build", "test", "bless", "explain")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "specs" / "deep").mkdir(parents=True)
    (tmp_path / "specs" / "good.spec").write_text(GOOD, encoding="utf-8")
    (tmp_path / "specs" / "deep" / "bad.spec").write_text(FAULTY, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("name", VERBS)
def test_each_verb_has_help_with_an_example(specc: Run, name: str) -> None:
    ended = specc(name, "--help")
    assert ended.returncode == 0
    assert "Examples:" in ended.stdout
    assert f"  specc {name}" in ended.stdout


def test_the_whole_lists_its_verbs(specc: Run) -> None:
    for arguments in ((), ("--help",), ("-h",)):
        ended = specc(*arguments)
        assert ended.returncode == 0
        assert all(f"\n  {name} " in ended.stdout for name in VERBS)


def test_check_reports_every_fault_of_every_file(specc: Run, folder: Path) -> None:
    ended = specc("check", "specs")
    assert ended.returncode == 2
    assert "error[E0201]" in ended.stdout and "error[E0405]" in ended.stdout
    assert f"{Path('specs', 'deep', 'bad.spec')}:5:" in ended.stdout
    assert ended.stdout.endswith("2 specs checked: 2 errors\n")
    fine = specc("check", folder / "specs" / "good.spec")
    assert (fine.returncode, fine.stdout) == (0, "1 spec checked: no faults\n")


def test_a_warning_is_no_fault(specc: Run, tmp_path: Path) -> None:
    text = GOOD.replace("fc: Linear(2)", "fc: Linear(2) -> BatchNorm1d")
    (tmp_path / "a.spec").write_text(text, encoding="utf-8")
    ended = specc("check", "a.spec")
    assert ended.returncode == 0
    assert "warning[W0301]" in ended.stdout
    assert ended.stdout.endswith("1 spec checked: 1 warning\n")


def test_check_says_where_the_sizes_of_the_test_do_not_fit(specc: Run, tmp_path: Path) -> None:
    (tmp_path / "a.spec").write_text(GOOD.replace("sizes N=4", "sizes M=4"), encoding="utf-8")
    ended = specc("check", "a.spec")
    assert ended.returncode == 2
    assert "error[E0502]" in ended.stdout


def test_set_reaches_the_spec(specc: Run, tmp_path: Path) -> None:
    text = GOOD.replace("spec 1\n", "spec 1\n\nparam width: int = 2\n").replace("(2)", "(width)")
    (tmp_path / "a.spec").write_text(text, encoding="utf-8")
    assert specc("check", "a.spec").returncode == 0
    wider = specc("check", "a.spec", "--set", "width=3")
    assert wider.returncode == 2
    assert "error[E0310]" in wider.stdout
    unknown = specc("check", "a.spec", "--set", "widht=3")
    assert unknown.returncode == 2 and "did you mean `width`?" in unknown.stdout
    for setting in ("width", "=3"):
        malformed = specc("check", "a.spec", "--set", setting)
        assert malformed.returncode == 2 and "error[E0712]" in malformed.stderr
    twice = specc("check", "a.spec", "--set", "width=2", "--set", "width=2")
    assert twice.returncode == 2 and "twice" in twice.stderr


@pytest.mark.parametrize("name", ["check", "build", "test", "bless"])
def test_a_path_that_is_not_there(specc: Run, folder: Path, name: str) -> None:
    more = ("-o", "out") if name == "build" else ()
    ended = specc(name, "specs/god.spec", *more)
    assert ended.returncode == 2
    assert "error[E0701]: there is no 'specs/god.spec'" in ended.stderr
    assert "did you mean 'specs/good.spec'?" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (folder / "out").exists() and not (folder / "golden").exists()


@pytest.mark.parametrize("name", ["check", "test", "bless"])
def test_a_folder_without_specs(specc: Run, tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    ended = specc(name, "empty")
    assert ended.returncode == 2
    assert "error[E0702]: no spec in 'empty'" in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("chek", "a.spec"), "Did you mean 'check'?"),
        (("test", "--devise", "cpu"), "--device"),
        (("check",), "Missing argument"),
        (("build", "specs/good.spec"), "--output"),
        (("explain", "E0230x"), "error[E0711]"),
        (("test", "specs/good.spec", "--target", "egaer"), "did you mean 'eager'?"),
        (("test", "specs/good.spec", "-n", "many"), "error[E0712]"),
        (("test", "specs/good.spec", "--source", "nowhere"), "error[E0701]"),
        (("test", "specs/good.spec", "-k", "nothing_has_this_name"), "no cell was run"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_call_at_fault_ends_with_2_and_says_why(
    specc: Run, folder: Path, arguments: tuple[str, ...], said: str
) -> None:
    ended = specc(*arguments)
    assert ended.returncode == 2, ended.stdout + ended.stderr
    assert said in ended.stderr + ended.stdout
    assert "Traceback" not in ended.stderr


def test_every_verb_refuses_a_size_in_the_same_words(folder: Path) -> None:
    from specc import front
    from specc.inspect.view import view
    from specc.measure.step import choose_case

    file = folder / "specs" / "good.spec"
    said = []
    for refuse in (
        lambda: view(file, asked={"M": 3}),
        lambda: choose_case(front.read(file), "train", {"M": 3}),
    ):
        with pytest.raises(CallError) as caught:
            refuse()
        said.append((caught.value.code, caught.value.message, caught.value.help))
    assert said[0] == said[1] and said[0][0] == "E0712" and "--size M" in said[0][1]
    assert dict(choose_case(front.read(file), "eval", {"N": 5}).sizes) == {"N": 5}
    assert view(file, asked={"N": 5}).models[0].sizes == {"N": 5}


def test_explain_tells_a_code_and_lists_all(specc: Run) -> None:
    for code in ("E0203", "e0203", "[E0203]"):
        ended = specc("explain", code)
        assert ended.returncode == 0
        assert ended.stdout.startswith("E0203: an argument that does not exist\n")
        assert "y = x -> Linear(10, bais=false)" in ended.stdout
    listed = specc("explain").stdout.splitlines()
    assert len(listed) > 60 and listed == sorted(listed)
    unknown = specc("explain", "E0299")
    assert unknown.returncode == 2 and "there is no code 'E0299'" in unknown.stderr


def test_the_version_with_torchs_if_asked(specc: Run) -> None:
    plain = specc("--version")
    assert plain.stdout.startswith("specc ") and "torch" not in plain.stdout
    both = specc("--version", "--torch")
    assert "\ntorch " in both.stdout


def test_without_a_path_the_folder_specs_is_meant(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    assert default_paths(None) == (Path("specs"),)
    monkeypatch.chdir(folder / "specs")
    assert default_paths(()) == (Path("."),)
    assert default_paths([Path("deep")]) == (Path("deep"),)


def test_the_specs_of_a_folder(folder: Path) -> None:
    (folder / "specs" / ".hidden").mkdir()
    (folder / "specs" / ".hidden" / "a.spec").touch()
    (folder / "specs" / "notes.txt").touch()
    (folder / "specs" / "loop").symlink_to(folder / "specs", target_is_directory=True)
    bad, good = folder / "specs/deep/bad.spec", folder / "specs/good.spec"
    assert spec_files([folder / "specs"]) == (good, bad)
    assert spec_files([good, folder / "specs"]) == (good, bad)
    assert spec_files([folder / "specs/notes.txt"]) == (folder / "specs/notes.txt",)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00\x01\x02",
        b"\xff\xfe spec",
        b"spec 1\n" + b"(" * 100_000,
        b"spec 1\nmodel \x1b]0;owned\x07 {\n",
        "spec 1\nmodel \u202eM {\n".encode(),
        b'spec 1\nmodel M {\n  input x: float[N]\n  output x -> __import__("os")\n}\n',
    ],
    ids=["empty", "binary", "encoding", "deep", "escape", "bidirectional", "code"],
)
def test_a_hostile_file_is_a_fault_and_nothing_else(
    specc: Run, tmp_path: Path, data: bytes
) -> None:
    (tmp_path / "a.spec").write_bytes(data)
    for arguments in (("check", "a.spec"), ("build", "a.spec", "-o", "out"), ("bless", "a.spec")):
        ended = specc(*arguments)
        said = ended.stdout + ended.stderr
        assert ended.returncode == 2, said
        assert "error[E" in said and "Traceback" not in said
        assert "\x1b" not in said and "\u202e" not in said
    assert [path.name for path in tmp_path.iterdir()] == ["a.spec"]


def test_what_cannot_be_encoded_is_escaped(specc: Run, tmp_path: Path) -> None:
    (tmp_path / "a.spec").write_text("spec 1\nmodel Größe {\n", encoding="utf-8")
    ended = specc("check", "a.spec", environment={"PYTHONIOENCODING": "ascii"})
    assert ended.returncode == 2
    assert "\\xf6" in ended.stdout


def test_a_reader_that_goes_away_is_no_crash(folder: Path) -> None:
    command = [sys.executable, "-m", "specc", "explain"]
    for _ in range(3):
        with subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None and process.stderr is not None
            process.stdout.close()
            assert process.stderr.read() == ""
            assert process.wait(30) == 141


def _ends_with(function: Callable[[], int]) -> int:
    with pytest.raises(typer.Exit) as ended:
        verb(function)()
    return ended.value.exit_code


def test_a_verb_ends_with_its_status_and_shows_errors(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted() -> int:
        raise KeyboardInterrupt

    def at_fault() -> int:
        raise CallError("E0701", "there is no file", help="look")

    assert _ends_with(lambda: 3) == 3
    assert _ends_with(interrupted) == 130
    assert _ends_with(at_fault) == 2
    assert capsys.readouterr().err == (
        "interrupted\nerror[E0701]: there is no file\n  = help: look\n"
    )


def test_a_defect_ends_with_70_and_is_traced_on_request_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> int:
        return {"width": 3}["depth"]

    monkeypatch.delenv("SPECC_DEBUG", raising=False)
    assert _ends_with(broken) == 70
    shown = capsys.readouterr().err
    assert shown.startswith(
        "error[E0790]: this is a defect of specc, not of what it was given: KeyError: 'depth'"
        " (test_cli.py:"
    )
    assert "SPECC_DEBUG=1" in shown and "Traceback" not in shown
    monkeypatch.setenv("SPECC_DEBUG", "1")
    with pytest.raises(KeyError):
        verb(broken)()


@pytest.mark.parametrize(
    "arguments", [("--help",), ("check", "specs/good.spec"), ("explain", "E0203")], ids=" ".join
)
def test_an_answer_takes_at_most_0_35_seconds(
    specc: Run, folder: Path, arguments: tuple[str, ...], request: pytest.FixtureRequest
) -> None:
    if not request.config.getoption("--benchmark-only"):
        pytest.skip("a benchmark: run with --benchmark-only")
    benchmark = request.getfixturevalue("benchmark")
    # As installed: with bytecode, and with the parser's tables in their cache.
    environment = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder / "bytecode")}
    specc(*arguments, environment=environment)
    times = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert specc(*arguments, environment=environment).returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    # Processor time, which is what a machine with nothing else to do takes; the best of five.
    benchmark.pedantic(lambda: min(times), rounds=1)
    assert min(times) < 0.35


def test_one_spec_that_cannot_be_blessed_keeps_no_other_from_it(specc: Run, folder: Path) -> None:
    shutil.rmtree(folder / "specs" / "deep")
    good = folder / "specs" / "good.spec"
    (folder / "specs" / "also.spec").write_text(good.read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "elsewhere").mkdir()
    (folder / "golden" / "specs").mkdir(parents=True)
    (folder / "golden" / "specs" / "also").symlink_to("../../elsewhere")
    done = specc("bless")
    assert done.returncode == 2 and done.stderr.count("error[E0804]") == 1, done.stderr
    assert done.stdout.startswith("specs/good.spec: 1 golden in "), done.stdout
    assert list((folder / "elsewhere").iterdir()) == []


@pytest.mark.slow
def test_build_bless_and_test_from_end_to_end(specc: Run, folder: Path) -> None:
    shutil.rmtree(folder / "specs" / "deep")
    built = specc("build", "specs/good.spec", "-o", "out")
    assert (built.returncode, built.stdout) == (0, f"{Path('out', 'good.py')}\n"), built.stderr

    unblessed = specc("test")
    assert unblessed.returncode == 3, unblessed.stdout
    assert "error[E0801]" in unblessed.stdout
    # A new spec has a golden for none of its cells, which is one thing to be told.
    text = (folder / "specs" / "good.spec").read_text(encoding="utf-8")
    (folder / "specs" / "good.spec").write_text(
        text.replace("targets eager", "targets eager, export"), encoding="utf-8"
    )
    unblessed = specc("test")
    assert unblessed.stdout.count("error[E0801]") == 1
    assert "eager-cpu-float32-train and 1 more: E0801" in unblessed.stdout
    assert "2 failed" in unblessed.stdout
    (folder / "specs" / "good.spec").write_text(text, encoding="utf-8")

    blessed = specc("bless")
    assert blessed.returncode == 0, blessed.stderr
    assert blessed.stdout.startswith("specs/good.spec: 1 golden in ")

    passed = specc("test", "specs", "--junitxml", "report.xml")
    assert passed.returncode == 0, passed.stdout
    assert "1 spec, 1 cell: 1 passed" in passed.stdout
    assert "outside torch: " in passed.stdout
    assert 'name="eager-cpu-float32-train"' in (folder / "report.xml").read_text("utf-8")

    source = (folder / "out" / "good.py").read_text(encoding="utf-8")
    (folder / "out" / "good.py").write_text(source.replace("lr=0.1", "lr=0.11"), encoding="utf-8")
    edited = specc("test", "--source", "out")
    assert edited.returncode == 1, edited.stdout
    assert "REGRESSED specs/good.spec::eager-cpu-float32-train: " in edited.stdout
    assert "Traceback" not in edited.stdout

    golden = next(folder.rglob("golden.json"))
    golden.write_text(json.dumps({"version": 10**9}), encoding="utf-8")
    corrupt = specc("test")
    assert corrupt.returncode == 3, corrupt.stdout
    assert "error[E0802]" in corrupt.stdout


@pytest.mark.skipif(os.geteuid() == 0 and not Path("/proc").is_dir(), reason="root may write all")
def test_a_place_that_cannot_be_written(specc: Run, folder: Path) -> None:
    ended = specc("build", "specs/good.spec", "-o", "/proc/specc/out")
    assert ended.returncode == 2
    assert "error[E0703]" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_question_that_is_not_answered_is_an_interruption(
    capsys: pytest.CaptureFixture[str],
) -> None:
    import typer

    from specc.cli.shared.verb import verb

    def asks() -> int:
        raise typer.Abort

    with pytest.raises(typer.Exit) as ended:
        verb(asks)()
    assert (
        ended.value.exit_code == Status.INTERRUPTED and capsys.readouterr().err == "interrupted\n"
    )


@pytest.mark.parametrize(
    ("names", "target", "file"),
    [
        (("one/net.spec", "two/net.spec"), "eager", "net.py"),
        (("net-a.spec", "net_a.spec"), "eager", "net_a.py"),
        (("net.spec", "net_compile.spec"), "compile", "net_compile.py"),
    ],
)
def test_two_specs_that_would_write_one_file_are_an_error(
    specc: Run, tmp_path: Path, names: tuple[str, str], target: str, file: str
) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(GOOD, encoding="utf-8")
    ended = specc("build", *names, "--target", target, "-o", "out")
    assert ended.returncode == 2
    assert f"error[E0731]: {names[0]} and {names[1]} would both be written as {file}" in (
        ended.stderr
    )
    assert not (tmp_path / "out").exists()
    assert specc("build", names[0], "-o", "out").returncode == 0


def test_a_fault_in_the_last_spec_leaves_all_unbuilt(specc: Run, folder: Path) -> None:
    (folder / "specs" / "zebra.spec").write_text(FAULTY, encoding="utf-8")
    ended = specc("build", "specs/good.spec", "specs/zebra.spec", "-o", "out")
    assert ended.returncode == 2 and not (folder / "out").exists()


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--junitxml", "/proc/specc/report.xml"), "E0703", "cannot write '/proc/specc"),
        (("--junitxml", "specs"), "E0703", "cannot write 'specs'"),
        (("--repro", "specs/good.spec"), "E0703", "'specs/good.spec': it is a file"),
        (("-k", "train and and"), "E0712", "-k takes words"),
    ],
)
def test_what_a_run_could_not_do_at_its_end_is_told_at_once(
    specc: Run, folder: Path, options: tuple[str, ...], code: str, said: str
) -> None:
    ended = specc("test", "specs/good.spec", *options)
    assert ended.returncode == 2
    assert f"error[{code}]" in ended.stderr and said in ended.stderr
    assert "=== specc ===" not in ended.stdout


def test_a_cell_that_there_is_not_is_told_with_the_nearest(specc: Run, folder: Path) -> None:
    ended = specc("test", "specs/good.spec::eager-cpu-float32-trian")
    assert ended.returncode == 2 and ended.stdout == ""
    assert "error[E0732]: specs/good.spec has no cell 'eager-cpu-float32-trian'" in ended.stderr
    assert "did you mean 'eager-cpu-float32-train'?" in ended.stderr


def test_a_cell_that_the_call_alone_asks_for_is_run(specc: Run, folder: Path) -> None:
    name = "specs/good.spec::compile-cpu-float32-train"
    ended = specc("test", name, "--target", "compile")
    assert ended.returncode == 3 and "E0801" in ended.stdout


def test_times_that_cannot_be_kept_are_no_affair_of_the_run(specc: Run, folder: Path) -> None:
    (folder / ".pytest_cache" / "v" / "specc" / "times").mkdir(parents=True)
    specc("bless", "specs/good.spec")
    ended = specc("test", "specs/good.spec")
    assert ended.returncode == 0, ended.stdout
    assert "Warning" not in ended.stdout + ended.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_every_verb_ends_a_signal_as_it_ends_ctrl_c(
    number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    kept: list[str] = []

    @verb
    def slow() -> int:
        try:
            signal.raise_signal(number)
        finally:
            kept.append("cleaned up")
        return 0

    # Whoever runs the tests may have told them to ignore it, as nohup does.
    handler = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
    before = signal.signal(number, handler)
    try:
        with pytest.raises(typer.Exit) as ended:
            slow()
        assert ended.value.exit_code == 130 and kept == ["cleaned up"]
        assert capsys.readouterr().err == "interrupted\n"
        assert signal.getsignal(number) == handler
    finally:
        signal.signal(number, before)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_signal_that_is_ignored_stays_so() -> None:
    @verb
    def slow() -> int:
        signal.raise_signal(signal.SIGHUP)
        return 0

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with pytest.raises(typer.Exit) as ended:
            slow()
    finally:
        signal.signal(signal.SIGHUP, before)
    assert ended.value.exit_code == 0


def test_ctrl_c_while_the_verbs_are_imported_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from specc import cli
    from specc.cli import app

    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(app, "main", interrupted)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 130
    assert capsys.readouterr().err == "interrupted\n"
