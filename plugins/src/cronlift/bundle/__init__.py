"""A team's DAG folder on its way from git-sync's tree to the copy that Airflow parses. No Airflow, no network but one.

tree       the git tree hash of a folder, in pure Python
manifest   what a copy holds, and what differs between two
judgement  whether a new tree may replace the last good one
freshen    which files must be parsed again after a change
source     the tree that git-sync publishes
objects    git's own object store: any old version, by its hash
store      the copies of one bundle, and the link to the newest
delivery   all of it in order: from the source to the flipped link
sync_age   seconds since git-sync last reached the repository
forge      web addresses of a commit, without credentials
"""
