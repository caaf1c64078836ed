"""The `feature` command: thin, calls services. stdout is data, stderr is everything else."""
