"""What the launchers share: flags, configs, progress, the time left, several processes, profiling."""
