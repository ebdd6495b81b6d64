"""Pure: what a team's Jobs may be, each rule once in Python and once as the API server's expression (CEL).

`rules.RULES` is what the pull request's check, Airflow's cluster policy and the chart's admission policy come from.
"""
