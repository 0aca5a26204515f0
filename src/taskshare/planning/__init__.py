"""What a scale asks for, before anything runs: jobs, hours, memory and disk."""
