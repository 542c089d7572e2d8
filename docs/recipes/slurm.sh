#!/bin/bash
# Made by: sweep recipe slurm digits --store /shared/runs --nodes 4 --gpus 8 --time 24:00:00 --partition gpu --setup 'source /shared/ratesweep/.venv/bin/activate'
# Hand it in with sbatch, from an environment in which `python -m sweep` works on all nodes.
#SBATCH --job-name=sweep-digits-hvae-digits-objectives
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --gpus-per-node=8
#SBATCH --time=24:00:00
#SBATCH --partition=gpu
#SBATCH --signal=B:USR1@300
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%j.log
set -u
# shellcheck source=/dev/null # not to be read where this is linted
source /shared/ratesweep/.venv/bin/activate

# Ray on the nodes of this job is closed to whoever does not know the token.
export RAY_AUTH_MODE=token
RAY_AUTH_TOKEN=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
export RAY_AUTH_TOKEN
export RAY_SYMMETRIC_RUN_CLUSTER_WAIT_TIMEOUT=600

# The first node is the head. RATESWEEP_HEAD chooses another of its addresses, of a faster network, say.
head=${RATESWEEP_HEAD:-$(hostname -I | cut -d ' ' -f 1)}

launch=$(mktemp) # gets the process id of the launch, which runs on this node
trap 'rm -f "$launch"' EXIT

signalled='' near_limit=''
# shellcheck disable=SC2329 # the traps below call it
stop() {
  signalled=1
  echo "sweep: asking the launch to save its work and stop"
  if [ -s "$launch" ]; then kill -TERM "$(cat "$launch")"; else kill -TERM "$step"; fi
}
trap 'near_limit=1; stop' USR1
trap stop TERM

# shellcheck disable=SC2016 # the process id of the inner shell, which becomes the launch
srun --ntasks-per-node=1 --cpu-bind=none \
  ray symmetric-run --address "$head:6379" --min-nodes "$SLURM_NNODES" -- \
  bash -c 'echo $$ > "$0" && exec "$@"' "$launch" \
  python -m sweep launch digits --store /shared/runs --device cuda --address auto &
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
