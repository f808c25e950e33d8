"""Starts a real Slurm of one node on this machine, on loopback and without accounting, for tests.

`auth/none` and `cred/none` need no munged, so anybody on this machine can submit jobs as any user while it runs: it is
for tests on a machine, or in a container, that nobody else uses.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "scontrol")
URGENT = "urgent"
"""The partition whose jobs preempt those of the others, which Slurm then requeues."""
START_SECONDS = 30.0
STOP_SECONDS = 60.0
ENDED_SECONDS = 1.5
CONF_FILE = "slurm.conf"
CONF = """\
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/none
CredType=cred/none
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmctldPort={ctld_port}
SlurmdPort={slurmd_port}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
MessageTimeout=3
KillWait=20
SchedulerParameters=sched_interval=1,bf_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE PriorityTier=1 State=UP
PartitionName=short Nodes=ALL MaxTime=1 PriorityTier=1 State=UP
PartitionName=urgent Nodes=ALL MaxTime=INFINITE PriorityTier=9 State=UP
"""


def missing() -> str:
    """Returns why there can be no Slurm here; "" if there can."""
    lacking = [name for name in PROGRAMS if shutil.which(name) is None]
    if lacking:
        return f"no {lacking[0]} here: Debian's packages slurmctld, slurmd and slurm-client have it"
    return "" if os.getuid() == 0 else "slurmd must be started by root"


class LocalSlurm:
    """The running daemons, with their files in `folder`. Commands find them by $SLURM_CONF, `conf`."""

    def __init__(self, folder: Path):
        self.conf, self._folder, self._host = folder / CONF_FILE, folder, socket.gethostname().split(".")[0]
        for name in ("state", "spool"):
            (folder / name).mkdir(parents=True)
        ports = dict(zip(("ctld_port", "slurmd_port"), _free_ports(2), strict=True))
        self.conf.write_text(CONF.format(host=self._host, user="root", folder=folder, **ports))
        self.env = os.environ | {"SLURM_CONF": str(self.conf)}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.start_controller()
        self._start("slurmd", "-N", self._host)
        self._wait_for_node()

    def run(self, *command: str) -> str:
        """Runs one of Slurm's commands and returns what it prints."""
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, check=True, timeout=60)
        return done.stdout

    def jobs(self) -> dict[str, str]:
        """Returns the state of each job in the queue."""
        lines = self.run("squeue", "--noheader", "--array", "--format=%i %T").splitlines()
        return dict(line.split() for line in lines)

    def raw_job_id(self, job: str) -> str:
        """Returns a running job's own number, where `job` may be a task of an array, as 7_1."""
        return self.run("squeue", "--noheader", f"--jobs={job}", "--format=%A").strip()

    def start_requeued(self) -> None:
        """Starts requeued jobs, for which Slurm would wait two minutes. slurmd refuses a job that starts again within
        the second in which it was ended."""
        lines = self.run("squeue", "--noheader", "--array", "--states=PENDING", "--format=%i %r").splitlines()
        requeued = [line.split()[0] for line in lines if line.split(maxsplit=1)[1] == "BeginTime"]
        if requeued:
            time.sleep(ENDED_SECONDS)
        for job in requeued:
            self.run("scontrol", "update", f"JobId={job}", "StartTime=now")

    def start_controller(self) -> None:
        self._start("slurmctld")

    def stop_controller(self) -> None:
        process = self._processes.pop("slurmctld")
        process.terminate()
        process.wait(30)

    def cancel_all(self) -> None:
        """Ends all jobs, and waits until they are gone."""
        deadline = time.monotonic() + STOP_SECONDS
        for job in self.jobs():
            with contextlib.suppress(subprocess.CalledProcessError):  # it has ended meanwhile
                self.run("scancel", "--signal=KILL", job)
                self.run("scancel", job)
        while self.jobs():
            assert time.monotonic() < deadline, f"jobs are left: {self.jobs()}"
            time.sleep(0.1)

    def stop(self) -> None:
        """Ends all jobs and the daemons."""
        self.cancel_all()
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            process.wait(30)

    def _start(self, name: str, *arguments: str) -> None:
        with (self._folder / f"{name}.log").open("ab") as log:
            command = [name, "-D", *arguments]
            self._processes[name] = subprocess.Popen(command, env=self.env, stdout=log, stderr=log)

    def _wait_for_node(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while "idle" not in self._node():
            assert time.monotonic() < deadline, (self._folder / "slurmctld.log").read_text()[-2000:]
            time.sleep(0.2)

    def _node(self) -> str:
        return subprocess.run(["sinfo", "-h", "-o", "%t"], env=self.env, capture_output=True, text=True).stdout


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
