"""Pure: teams.yaml, the only list of teams, and what is generated from it."""
