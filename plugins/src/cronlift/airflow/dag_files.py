"""The DAG files of a bundle's folder, as Airflow's DAG processor finds them."""

import zipfile
from pathlib import Path

from airflow.configuration import conf
from airflow.utils.file import list_py_file_paths, might_contain_dag

from cronlift.bundle.tree import MAX_FILE_BYTES, MEBIBYTE
from cronlift.errors import ContentRefusedError

IGNORE_FILE = ".airflowignore"


def list_files(folder: Path) -> list[Path]:
    """Return the DAG files of a folder: .airflowignore and Airflow's heuristic count.

    Raises:
        ContentRefusedError: Airflow fails over the folder. Its DAG processor does so outside of any `try` (3.3.2,
            `DagFileProcessorManager._refresh_dag_bundles`): it would end, at each start anew, and with it the parsing
            of every team's files.
    """
    safe_mode = conf.getboolean("core", "dag_discovery_safe_mode", fallback=True)
    try:
        found = sorted(Path(each) for each in list_py_file_paths(folder, safe_mode=safe_mode))
    except Exception as error:
        raise ContentRefusedError(_why_unlisted(folder, error)) from error
    for each in found:
        _read_as_airflow_does(each, each.relative_to(folder).as_posix(), safe_mode)
    return found


def _why_unlisted(folder: Path, error: Exception) -> str:
    links = sorted(each for each in folder.rglob("*") if each.is_symlink() and each.is_dir())
    if isinstance(error, RuntimeError) and links:
        return (
            f"{_named(folder, links)} is a symbolic link to a folder, and Airflow walks none that it reaches twice. "
            f"Link to files, or name the link in {IGNORE_FILE}"
        )
    named = _named(folder, sorted(folder.rglob(IGNORE_FILE))) or "the folder"
    return f"Airflow cannot read {named}: {type(error).__name__}: {error}"


def _named(folder: Path, paths: list[Path]) -> str:
    return " or ".join(each.relative_to(folder).as_posix() for each in paths)


def _read_as_airflow_does(file: Path, path: str, safe_mode: bool) -> None:
    """Read what Airflow reads of a file besides its DAGs: its name for the database, and an archive's members."""
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise ContentRefusedError(f"{path.encode(errors='surrogateescape')!r} is no name in UTF-8") from error
    if file.suffix == ".py":
        return
    try:
        with zipfile.ZipFile(file) as archive:
            for member in archive.infolist():
                if member.file_size > MAX_FILE_BYTES:
                    mebibytes = member.file_size / MEBIBYTE
                    raise ContentRefusedError(
                        f"{member.filename} in the archive {path} has {mebibytes:.0f} MiB, "
                        f"more than {MAX_FILE_BYTES // MEBIBYTE} MiB"
                    )
                might_contain_dag(member.filename, safe_mode, archive)
    except ContentRefusedError:
        raise
    except zipfile.BadZipFile:
        return  # Airflow logs it, and goes on
    except Exception as error:
        raise ContentRefusedError(f"Airflow cannot read the archive {path}: {type(error).__name__}: {error}") from error
