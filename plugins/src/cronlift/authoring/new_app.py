"""What a repository for new code begins with: program, test, image, CI and Job, as they lie in `app/` beside this."""

from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

PROGRAMS = ("app/run", "test/run", "ci/open-pull-request")


@dataclass(frozen=True)
class NewApp:
    """A repository that is to be written.

    Args:
        name: Of the app: its folder's, its image's and, in manifests, that of `images`.
        repository: Where its image is pushed, without a tag.
        platform: URL of the platform's repository.
        base: The image that its own is made from.
    """

    name: str
    repository: str
    platform: str
    base: str

    def files(self) -> dict[str, str]:
        """Return path from the new repository's root -> text."""
        words = {
            "@NAME@": self.name,
            "@REPOSITORY@": self.repository,
            "@REGISTRY@": self.repository.partition("/")[0],
            "@PLATFORM@": self.platform,
            "@BASE@": self.base,
        }
        found = {}
        for name, text in sorted(_texts(files("cronlift.authoring") / "app", "")):
            for word, value in words.items():
                text = text.replace(word, value)
            found[name] = text
        return found


def _texts(folder: Traversable, prefix: str) -> list[tuple[str, str]]:
    found = []
    for each in folder.iterdir():
        if each.is_dir():
            found += [] if each.name == "__pycache__" else _texts(each, f"{prefix}{each.name}/")
        else:
            found.append((f"{prefix}{each.name}", each.read_text(encoding="utf-8")))
    return found
