"""The `cronlift` command: what people, checks and the sweep CronJob call."""
