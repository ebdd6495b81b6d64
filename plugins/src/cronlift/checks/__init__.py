"""Pure: what a pull request is checked for, told from the facts of DAG files and from lists of paths."""
