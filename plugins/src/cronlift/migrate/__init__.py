"""Rewrite DAG files that use another operator for Kubernetes Jobs; pure, files are read and written by the command."""
