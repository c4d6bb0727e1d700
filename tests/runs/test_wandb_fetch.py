"""Studies out of wandb: runs kept offline by the real wandb, read through its real `Api`, of which
only the server is made up."""

from __future__ import annotations

import inspect as signatures
import json
import shutil
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from offline_wandb import described, inspect, offline_runs, unknown_user

from seqexp.analysis import report
from seqexp.runs import wandb_fetch, wandb_session
from seqexp.runs.record import RunInfo, RunRecord, is_finished
from seqexp.runs.wandb_fetch import fetch
from seqexp.runs.wandb_files import unpack
from seqexp.runs.wandb_mirror import Mirror
from seqexp.runs.wandb_study import Comparison, log_study, study_id
from seqexp.types import Score, SeqexpError
from tests.analysis.synthetic_records import write_growth, write_json

STUDY = "frontier"
ADDRESS = f"me/seqexp-test/{STUDY}"
OFFLINE = Mirror("offline", "seqexp-test")
MANIFEST = {"device_kind": "cpu", "command": ["seqexp", "model=gru"], "packages": {"jax": "0.10.1"}}


pytestmark = pytest.mark.usefixtures("unknown_to_wandb")


def _record(runs_dir: Path, model: str, seed: int, manifest: Mapping[str, Any]) -> RunRecord:
    """A finished run of two evaluations and a sample, mirrored."""
    info = RunInfo(
        id=f"{model}{seed}",
        study=STUDY,
        name=f"{model}-adding-seed{seed}",
        model=model,
        task="adding",
        seed=seed,
        group=f"{model:0>16}",
        config={"seed": seed, "model": {"features": 8}, "api_key": "s3cr3t-value"},
        score=Score("mse", "min"),
        baselines={"predict 1": 0.167},
    )
    record = RunRecord.create(runs_dir, info, manifest, OFFLINE)
    record.write_cost({"parameters": 10 * len(model), "training_flops_per_step": 1e6})
    for step in (1, 2):
        metrics = {"step": step, "examples": 4 * step, "tokens": 8 * step}
        record.log({**metrics, "valid/mse": (1 + seed) / step}, seconds=0.5 * step)
    record.log_samples(2, ["the cat"])
    record.finish(2, {"mse": (1 + seed) / 2}, {"mse": 0.1 * (1 + seed) + len(model)})
    return record


class Server:
    """What a server answers once `wandb sync` has sent it runs that were kept offline."""

    def __init__(self, folders: list[Path]) -> None:
        self.runs: dict[str, dict[str, Any]] = {}
        self.files: dict[str, dict[str, bytes]] = {}
        for folder in folders:
            run = described(inspect(folder))
            config = {key: {"value": value} for key, value in run["config"]["update"].items()}
            self.runs[run["run_id"]] = {
                "name": run["run_id"],
                "displayName": run["display_name"],
                "state": "finished",
                "tags": run["tags"],
                "jobType": run["job_type"],
                "config": json.dumps(config),
            }
            files = folder / "files"
            self.files[run["run_id"]] = {
                path.relative_to(files).as_posix(): path.read_bytes()
                for path in files.rglob("*")
                if path.is_file()
            }

    def execute_graphql(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        if "query Runs(" in query:
            assert (variables["entity"], variables["project"]) == ("me", "seqexp-test")
            [wanted] = json.loads(variables["filters"])["tags"]["$in"]
            nodes = [run for run in self.runs.values() if wanted in run["tags"]]
            return {"project": {"runCount": len(nodes), "runs": _page(nodes)}}
        assert "query RunFiles(" in query
        files = self.files[variables["name"]]
        nodes = [
            {"name": name, "sizeBytes": str(len(content)), "url": f"{variables['name']}/{name}"}
            for name, content in files.items()
            if name in variables["fileNames"]
        ]
        return {"project": {"run": {"fileCount": len(nodes), "files": _page(nodes)}}}

    def send_api_request(self, request: Any) -> None:
        asked = request.download_file_request
        run, _, name = asked.url.partition("/")
        Path(asked.path).write_bytes(self.files[run][name])


def _page(nodes: list[Any]) -> dict[str, Any]:
    edges = [{"node": dict(node), "cursor": str(i)} for i, node in enumerate(nodes)]
    return {"edges": edges, "pageInfo": {"hasNextPage": False, "endCursor": None}}


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Lets wandb's own `Api` ask a server of ours; what it is made with is checked."""
    import wandb

    real = wandb.Api

    def asking(sent: Server) -> Server:
        server = deepcopy(sent)

        class Api(real):
            def __init__(self, *arguments: Any, **named: Any) -> None:
                signatures.signature(real.__init__).bind(self, *arguments, **named)
                self.settings = {"entity": "me", "project": None}
                self._runs, self._default_entity, self.api_key = {}, "me", None
                self._service_api: Any = server

        monkeypatch.setattr(wandb, "Api", Api)
        monkeypatch.setattr(wandb_fetch, "has_key", lambda: True)
        return server

    return asking


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Server]]:
    """A study of four runs, and a server that wandb has sent it to."""
    with pytest.MonkeyPatch.context() as patch:
        with unknown_user(tmp_path_factory.mktemp("home"), patch):
            runs_dir = tmp_path_factory.mktemp("runs")
            for model in ("rnn", "lstm"):
                for seed in (0, 1):
                    _record(runs_dir, model, seed, MANIFEST)
            study = runs_dir / STUDY
            growth = write_growth(study, "rnn", {"rnn": (1, 2)}, "adding")
            write_json(study / "cost/rnn/cost.json", {**growth, "place": "/home/me/x"})
            assert log_study(OFFLINE, Comparison(STUDY, [], {}, {}, {}), study)
            folders = [*study.glob("*/wandb/*run-*"), *offline_runs(study)]
            assert len(folders) == 5
            yield study, Server(folders)


def _written(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.mark.full
def test_the_report_of_what_was_fetched_is_the_same_byte_for_byte(sent, tmp_path, serve):
    study = sent[0]
    serve(sent[1])
    fetched = fetch(ADDRESS, tmp_path)
    assert fetched == (tmp_path / STUDY, 4, 0, [])
    for run in ("rnn0", "rnn1", "lstm0", "lstm1"):
        assert is_finished(fetched.folder / run)
        for name, content in _written(fetched.folder / run).items():
            assert content == (study / run / name).read_bytes()
    growth = json.loads((fetched.folder / "cost/rnn/cost.json").read_text())
    assert growth["place"] == "[path]" and len(growth["measured"]) == 9
    report(study)
    report(fetched.folder)
    written = _written(fetched.folder / "report")
    assert written == _written(study / "report")
    assert b"the cat" in written["index.html"] and b"Exponents" in written["index.html"]


def test_fetching_again_changes_nothing_and_never_replaces_another_record(sent, tmp_path, serve):
    serve(sent[1])
    fetch(ADDRESS, tmp_path)
    assert fetch(ADDRESS, tmp_path) == (tmp_path / STUDY, 0, 4, [])
    other = tmp_path / STUDY / "rnn0" / "metrics.jsonl"
    other.write_text("{}\n")
    shutil.rmtree(tmp_path / STUDY / "rnn1")
    fetched = fetch(ADDRESS, tmp_path)
    assert (fetched.new, fetched.known) == (1, 2)
    [problem] = fetched.problems
    assert "rnn-adding-seed0" in problem and "it is kept" in problem
    assert other.read_text() == "{}\n"


def test_a_half_fetched_record_never_looks_finished(sent, tmp_path, serve, monkeypatch):
    """One that is cut short on the server, one that is not there, and a fetch that is killed."""
    server = serve(sent[1])
    whole = server.files["rnn0"]["record.zip"]
    server.files["rnn0"]["record.zip"] = whole[: len(whole) // 2]
    del server.files["rnn1"]["record.zip"]
    server.files["lstm0"]["record.zip"] = server.files["lstm1"]["record.zip"]
    fetched = fetch(ADDRESS, tmp_path)
    assert (fetched.new, fetched.known) == (1, 0)
    reasons = {line.split()[0]: line for line in fetched.problems}
    assert "damaged" in reasons["rnn-adding-seed0"]
    assert "carries no record" in reasons["rnn-adding-seed1"]
    assert "another run" in reasons["lstm-adding-seed0"]
    assert [path.parent.name for path in tmp_path.rglob("run.json")] == ["lstm1"]

    def killed(path: Path, target: Path) -> None:
        raise KeyboardInterrupt

    server.files["rnn0"]["record.zip"] = whole
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "rename", killed)
        fetch(ADDRESS, tmp_path)
    assert not is_finished(tmp_path / STUDY / "rnn0")
    assert fetch(ADDRESS, tmp_path).new == 1
    assert is_finished(tmp_path / STUDY / "rnn0")


def test_runs_of_another_study_are_left_alone(sent, tmp_path, serve):
    """A tag is also the name of a model or a task: another study may have a model of this name."""
    server = serve(sent[1])
    config = json.loads(server.runs["rnn0"]["config"])
    config["run"]["value"]["study"] = "another"
    server.runs["rnn0"]["config"] = json.dumps(config)
    assert fetch(ADDRESS, tmp_path).new == 3
    with pytest.raises(SeqexpError, match="no runs of a study lstm"):
        fetch("me/seqexp-test/lstm", tmp_path)


def test_neither_secrets_nor_paths_of_the_machine_leave(tmp_path, monkeypatch):
    monkeypatch.setenv("MY_API_KEY", "env-s3cr3t-value")
    manifest = {
        **MANIFEST,
        "command": ["seqexp", "runs_dir=/home/alice/my runs", "task=digits"],
        "xla_flags": "--xla_dump_to=/home/alice/dump --xla_force=env-s3cr3t-value",
    }
    record = _record(tmp_path, "rnn", 0, {**manifest, "resumed": [{"step": 1, **manifest}]})
    [folder] = offline_runs(record.directory)
    files = unpack((folder / "files" / "record.zip").read_bytes())
    assert files.keys() == {path.name for path in record.directory.glob("*.json*")}
    for content in files.values():
        assert b"alice" not in content and b"s3cr3t" not in content
    sent = json.loads(files["manifest.json"])
    assert sent["resumed"][0]["command"] == ["seqexp", "runs_dir=[path]", "task=digits"]
    assert sent["xla_flags"] == "--xla_dump_to=[path] --xla_force=[redacted]"
    assert sent["packages"] == {"jax": "0.10.1"}


def test_what_no_archive_of_ours_holds_is_refused():
    import io
    import zipfile

    for name in ("../run.json", "weights.msgpack", "/etc/passwd", "cost/../cost.json"):
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as writing:
            writing.writestr("run.json", b"{}")
            writing.writestr(name, b"{}")
        with pytest.raises(SeqexpError, match="none that seqexp packs"):
            unpack(archive.getvalue())


def test_mistakes_are_said_in_one_line(tmp_path, monkeypatch):
    for address in ("frontier", "a/b/c/d", "me//frontier"):
        with pytest.raises(SeqexpError, match="must be wandb:ENTITY/PROJECT/STUDY"):
            fetch(address, tmp_path)
    with pytest.raises(SeqexpError, match="no API key: run `wandb login`"):
        fetch(ADDRESS, tmp_path)
    monkeypatch.setattr(wandb_fetch, "has_key", lambda: True)

    def broken() -> None:
        raise ConnectionError("first line\nsecond line")

    monkeypatch.setattr(wandb_fetch, "_api", broken)
    with pytest.raises(SeqexpError, match=r"does not answer for .* \(first line\)"):
        fetch(ADDRESS, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_study_has_one_run_that_the_next_report_replaces(tmp_path, caplog, monkeypatch):
    comparison = Comparison(
        STUDY, [("", "All is well."), ("adding", "rnn < lstm")], {}, {}, {"finished": 4}
    )
    for _ in range(2):
        place = log_study(OFFLINE, comparison, tmp_path)
        assert place is not None
        [folder] = offline_runs(tmp_path)
        assert Path(place) == folder
        run = described(inspect(folder))
        assert run["run_id"] == study_id(STUDY) == "study-" + run["run_id"][6:]
        assert (run["run_group"], run["job_type"], run["display_name"]) == (STUDY, "study", STUDY)
        assert run["notes"] == "All is well.\n\n**adding**: rnn < lstm"
        [html] = folder.rglob("*.html")
        assert "<h3>adding</h3><p>rnn &lt; lstm</p>" in html.read_text()
    assert study_id("another") != study_id(STUDY)

    import wandb

    def broken(*arguments: Any, **named: Any) -> None:
        raise OSError("no space left on device\nand more")

    for part in ("init", "Html"):
        caplog.clear()
        with monkeypatch.context() as patch:
            patch.setattr(wandb, part, broken)
            assert log_study(OFFLINE, comparison, tmp_path) is None
        said = [r.getMessage() for r in caplog.records if r.name.startswith("seqexp")]
        assert said == ["wandb failed (no space left on device); the report is not in wandb"]
    assert wandb_session.first_line(ValueError()) == "ValueError"
