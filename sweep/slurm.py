"""A batch script for Slurm: a Ray of its own on the nodes of a job, and in it the same launch as everywhere."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

PORT = 6379
NODES_SECONDS = 600  # nodes of a job begin minutes apart; Ray's own 30 s are too few
GRACE_SECONDS = 300  # before the time limit: to save checkpoints, to end Ray, to be queued again
_SOURCING = ("source ", ". ")
_LINT = "# shellcheck source=/dev/null # not to be read where this is linted\n"


@dataclass(frozen=True, kw_only=True)
class SlurmJob:
    """What a batch script asks Slurm for. gpus: on each node; time: of Slurm's own writing; setup: lines before Ray."""

    name: str
    command: Sequence[str]
    made_by: str
    nodes: int = 1
    gpus: int = 0
    time: str = "24:00:00"
    partition: str = ""
    account: str = ""
    setup: Sequence[str] = ()

    def script(self) -> str:
        """The script, for sbatch."""
        return _SCRIPT.format(
            made_by=self.made_by,
            directives="\n".join(f"#SBATCH {directive}" for directive in self._directives()),
            setup="".join(f"{_LINT if line.startswith(_SOURCING) else ''}{line}\n" for line in self.setup),
            nodes_seconds=NODES_SECONDS,
            port=PORT,
            command=shlex.join(self.command),
        )

    def _directives(self) -> list[str]:
        asked = [
            f"--job-name={self.name}",
            f"--nodes={self.nodes}",
            "--ntasks-per-node=1",
            "--exclusive",
            f"--gpus-per-node={self.gpus}" if self.gpus else "",
            f"--time={self.time}",
            f"--partition={self.partition}" if self.partition else "",
            f"--account={self.account}" if self.account else "",
            f"--signal=B:USR1@{GRACE_SECONDS}",
            "--requeue",
            "--open-mode=append",
            "--output=%x-%j.log",
        ]
        return [directive for directive in asked if directive]


# Why it is as it is:
# * `ray symmetric-run` runs on each node the same line: it starts Ray there, and on the first node the launch. At its
#   end it stops all Ray of the user on its nodes, hence --exclusive.
# * Where Ray does not start, or is interrupted, `ray symmetric-run` says so and ends with 0. The file that gets the
#   process id of the launch then shows whether there was one.
# * srun would hand a signal to every process of every node, Ray's too. The launch alone must get it: this script runs
#   on the first node, as the launch does, and signals it by its process id.
# * A launch ends with 75 also where it was cancelled or where the disk is full; only what the time limit has cut short
#   goes back into the queue, again and again, by itself.
_SCRIPT = """\
#!/bin/bash
# Made by: {made_by}
# Hand it in with sbatch, from an environment in which `python -m sweep` works on all nodes.
{directives}
set -u
{setup}
# Ray on the nodes of this job is closed to whoever does not know the token.
export RAY_AUTH_MODE=token
RAY_AUTH_TOKEN=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \\n')
export RAY_AUTH_TOKEN
export RAY_SYMMETRIC_RUN_CLUSTER_WAIT_TIMEOUT={nodes_seconds}

# The first node is the head. RATESWEEP_HEAD chooses another of its addresses, of a faster network, say.
head=${{RATESWEEP_HEAD:-$(hostname -I | cut -d ' ' -f 1)}}

launch=$(mktemp) # gets the process id of the launch, which runs on this node
trap 'rm -f "$launch"' EXIT

signalled='' near_limit=''
# shellcheck disable=SC2329 # the traps below call it
stop() {{
  signalled=1
  echo "sweep: asking the launch to save its work and stop"
  if [ -s "$launch" ]; then kill -TERM "$(cat "$launch")"; else kill -TERM "$step"; fi
}}
trap 'near_limit=1; stop' USR1
trap stop TERM

# shellcheck disable=SC2016 # the process id of the inner shell, which becomes the launch
srun --ntasks-per-node=1 --cpu-bind=none \\
  ray symmetric-run --address "$head:{port}" --min-nodes "$SLURM_NNODES" -- \\
  bash -c 'echo $$ > "$0" && exec "$@"' "$launch" \\
  {command} &
step=$!

wait "$step"
code=$?
while [ -n "$signalled" ]; do # a signal ends the waiting, not the step
  signalled=''
  wait "$step"
  again=$?
  if [ "$again" -ne 127 ]; then code=$again; fi # 127: it had ended before
done

if [ "$code" -eq 0 ] && [ ! -s "$launch" ]; then
  echo "sweep: error: the launch never began; what Ray says of that is above"
  code=1
fi

# 0 all finished, 1 a bug, 2 bad input, 3 some trials failed: these are answers. Else the time limit came first.
if [ -n "$near_limit" ] && [ "$code" -gt 3 ]; then
  echo "sweep: the time limit came first; back into the queue to go on"
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
"""
