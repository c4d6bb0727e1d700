"""A SLURM of one node on this machine, in a folder of its own, for as long as a test needs it."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "munged")

CONFIG = """
ClusterName=test
SlurmctldHost={host}
SlurmUser=root
AuthType=auth/munge
CryptoType=crypto/munge
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
KillWait=2
MpiDefault=none
InactiveLimit=0
NodeName={host} CPUs={cores} State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str | None:
    """Why there can be no SLURM here; None where there can."""
    lacking = [name for name in PROGRAMS if shutil.which(name, path=_path()) is None]
    if lacking:
        return f"no {', '.join(lacking)} here: apt-get install slurm-wlm munge"
    return None if os.geteuid() == 0 else "SLURM's daemons need root"


@contextmanager
def slurm(folder: Path) -> Iterator[dict[str, str]]:
    """Within, a SLURM runs; the variables of the environment by which its commands find it."""
    folder.mkdir(parents=True)
    for name in ("state", "spool"):
        (folder / name).mkdir()
    ports = _free_ports(2)
    config = folder / "slurm.conf"
    config.write_text(
        CONFIG.format(
            host=socket.gethostname(),
            folder=folder,
            cores=len(os.sched_getaffinity(0)),
            controller_port=ports[0],
            node_port=ports[1],
        )
    )
    environment = {"SLURM_CONF": str(config), "PATH": _path()}
    with ExitStack() as daemons:
        if subprocess.run(["munge", "-n"], capture_output=True).returncode:
            daemons.enter_context(_munge())
        for daemon in ("slurmctld", "slurmd"):
            command = [daemon, "-D", "-f", str(config), *(["-c"] if daemon == "slurmctld" else [])]
            daemons.enter_context(_running(command, folder / f"{daemon}.out", environment))
        _until(lambda: "idle" in _said(["sinfo", "-h", "-o", "%T"], environment), folder)
        try:
            yield environment
        finally:
            _said(["scancel", "-u", "root"], environment)
            _until(lambda: not _said(["squeue", "-h"], environment).strip(), folder)


def _path() -> str:
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


@contextmanager
def _munge() -> Iterator[None]:
    """Its daemon, with the key and the socket where its package has them."""
    user = pwd.getpwnam("munge")
    for place in (Path("/run/munge"), Path("/var/log/munge"), Path("/var/lib/munge")):
        place.mkdir(exist_ok=True, mode=0o755)
        os.chown(place, user.pw_uid, user.pw_gid)
    command = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    with _running([*command, "munged", "-F"], Path(os.devnull), {}):
        _until(lambda: not subprocess.run(["munge", "-n"], capture_output=True).returncode, None)
        yield


@contextmanager
def _running(command: list[str], output: Path, environment: dict[str, str]) -> Iterator[None]:
    with open(output, "ab") as file:
        daemon = subprocess.Popen(
            command, stdout=file, stderr=file, env={**os.environ, "PATH": _path(), **environment}
        )
    try:
        yield
    finally:
        daemon.terminate()
        try:
            daemon.wait(60)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()


def _said(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, **environment}
    )
    return done.stdout


def _until(done: Callable[[], bool], folder: Path | None) -> None:
    since = time.monotonic()
    while not done():
        if time.monotonic() - since > 180:
            logs = "" if folder is None else (folder / "slurmctld.log").read_text()[-2000:]
            raise RuntimeError(f"SLURM does not come up, or does not end its jobs: {logs}")
        time.sleep(0.2)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as open_:
        sockets = [open_.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("", 0))
        return [each.getsockname()[1] for each in sockets]
