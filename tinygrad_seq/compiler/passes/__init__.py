"""From the ops of a step to its kernels: normalise, plan, schedule, lower, run."""
