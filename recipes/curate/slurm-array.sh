#!/bin/sh
# A curation shared out over a Slurm array. One folder that all nodes see; every task is safe to repeat.
#
#   job=$(sbatch --parsable --array=0-511%64 slurm-array.sh shard)
#   sbatch --dependency=afterok:$job slurm-array.sh merge
#   sbatch --array=$(anneal curate status runs/curated --format array) slurm-array.sh shard    # only what is missing
#
# The number after --shards is the length of the whole array, also when only a part of it is run again.
#SBATCH --cpus-per-task=8
#SBATCH --mem=16G
#SBATCH --time=04:00:00
#SBATCH --requeue
set -e
case "$1" in
  shard) exec srun anneal curate --config curate.yaml --shards 512 --workers "${SLURM_CPUS_PER_TASK:-1}" ;;
  merge) exec srun anneal curate merge runs/curated ;;
esac
