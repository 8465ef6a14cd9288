"""A SLURM of one machine, as a test needs it: Debian's slurm-wlm and munge, started by hand on free ports."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

# AuthInfo: a job that is requeued starts again only when its old credential has expired, which else takes two minutes.
CONF = """\
ClusterName=test
SlurmctldHost=localhost(127.0.0.1)
SlurmUser=root
SlurmctldPort={controller}
SlurmdPort={node}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
KillWait=1
ReturnToService=2
SchedulerParameters=sched_interval=1,batch_sched_delay=0,bf_interval=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName=localhost NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=sweeps Nodes=localhost Default=YES MaxTime=INFINITE PriorityTier=1 GraceTime={grace}
PartitionName=urgent Nodes=localhost MaxTime=INFINITE PriorityTier=2 PreemptMode=OFF
"""


def skip_without_slurm() -> None:
    if missing := [program for program in ("munged", "slurmctld", "slurmd", "sbatch") if not shutil.which(program)]:
        pytest.skip(f"no SLURM here ({missing[0]} is missing); on Debian: apt-get install slurm-wlm munge")
    if os.geteuid():
        pytest.skip("only root can start a SLURM")


@contextmanager
def one_machine_slurm(folder: Path, grace: int = 0) -> Iterator[dict[str, str]]:
    """A SLURM with two cores while the context lasts; gives the environment in which its commands find it.

    Jobs of the partition `sweeps`, the default, are preempted by those of `urgent`, `grace` seconds after they are told.
    """
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    conf = folder / "slurm.conf"
    conf.write_text(CONF.format(folder=folder, controller=free_port(), node=free_port(), grace=grace))
    environment = {**os.environ, "SLURM_CONF": str(conf)}
    key, munge = folder / "munge.key", folder / "munge"
    subprocess.run(["mungekey", "--create", f"--keyfile={key}"], check=True)
    files = [f"--{kind}-file={munge}.{kind}" for kind in ("log", "pid", "seed")]
    with ExitStack() as stack:
        for command in (
            ["munged", "--foreground", "--force", f"--key-file={key}", f"--socket={munge}.socket", *files],
            ["slurmctld", "-D"],
            ["slurmd", "-D", "-N", "localhost"],
        ):
            stack.enter_context(running(command, environment, folder / f"{command[0]}.txt"))
        wait_until_idle(environment)
        try:
            yield environment
        finally:  # else what the jobs have started would run on
            for signal in (["--signal=KILL", "--full"], []):
                subprocess.run(["scancel", "--user=root", *signal], env=environment, check=True)
            wait_until_idle(environment)


@contextmanager
def running(command: list[str], environment: dict[str, str], log: Path) -> Iterator[None]:
    """A program in the foreground of a process of its own, ended with the context."""
    with log.open("w") as file:
        process = subprocess.Popen(command, env=environment, stdout=file, stderr=subprocess.STDOUT)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


def wait_until_idle(environment: dict[str, str]) -> None:
    until = time.monotonic() + 100
    command = ["sinfo", "--noheader", "--format=%T"]
    while (said := subprocess.run(command, env=environment, capture_output=True, text=True)).stdout.strip() != "idle":
        assert time.monotonic() < until, f"SLURM is not ready: {said.stdout}{said.stderr}"
        time.sleep(0.2)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
