"""Pure: what a change does to DAGs, tasks, schedules, images, resources and owners, and how it is shown."""
