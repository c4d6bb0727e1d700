"""The wheel carries the menu and the launcher, and its console script works anywhere."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.full
def test_the_wheel_works_from_any_directory(tmp_path):
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    quick = ["--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "wheel", *quick, "-w", str(tmp_path), str(ROOT)], check=True)
    (wheel,) = tmp_path.glob("seqexp-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    menu = {f"seqexp/{p.relative_to(ROOT)}" for p in (ROOT / "conf").rglob("*.yaml")}
    code = {str(p.relative_to(ROOT)) for p in (ROOT / "seqexp").rglob("*.py")}
    code |= {str(p.relative_to(ROOT)) for p in (ROOT / "seqexp" / "data").glob("*.txt")}
    assert menu | code | {"seqexp/conf/__init__.py"} <= set(names)
    assert "hydra_plugins/seqexp_launcher/launcher.py" in names
    assert "hydra_plugins/__init__.py" not in names, "Hydra's namespace must stay a namespace"
    assert not [name for name in names if name.startswith(("tests", "experiments"))]

    site = tmp_path / "site"
    subprocess.run([*pip, "install", *quick, "--target", str(site), str(wheel)], check=True)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = subprocess.run(
        [
            sys.executable,
            str(site / "bin" / "seqexp"),
            "sweep",
            "model=rnn,gru",
            "task=digits",
            "model.features=2",
            "trainer.steps=1",
            "logger.mode=disabled",
        ],
        cwd=elsewhere,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (elsewhere / "runs" / "default" / "report" / "index.html").exists()
    shown = subprocess.run(
        [sys.executable, "-c", "import seqexp; print(seqexp.__file__)"],
        cwd=elsewhere,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
    )
    assert shown.stdout.strip().startswith(str(site)), "the wheel itself was tested"
