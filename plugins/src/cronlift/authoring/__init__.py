"""Pure: the files that authors start from, and the edits of theirs that a machine can make."""
