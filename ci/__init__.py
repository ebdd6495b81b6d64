"""What builds, checks and brings up the platform: one step per module, run as `python -m ci.<step>`."""
