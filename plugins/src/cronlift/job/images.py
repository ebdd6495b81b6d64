"""The deployment's job images, by the names that manifests use."""

from collections.abc import Iterator, Mapping

from cronlift.errors import ManifestError


class Images(Mapping[str, str]):
    """The deployment's job images by name: `{{ images.legacy }}`.

    Args:
        known: Name -> reference, from the deployment's settings.
    """

    def __init__(self, known: Mapping[str, str]) -> None:
        self._known = dict(known)

    def __getitem__(self, name: str) -> str:
        if name not in self._known:
            known = ", ".join(sorted(self._known)) or "none"
            raise ManifestError(
                f"no job image is called {name!r}",
                cure=f"Known images: {known}. Use one of them, write the image's full name, or add {name!r} under "
                "jobImages in the environment's values.",
            )
        return self._known[name]

    def __getattr__(self, name: str) -> str:
        if name.startswith("_"):
            raise AttributeError(name)
        return self[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


class GuessedImages(Images):
    """Stands in where the deployment's images are not known: each name has an image, in a registry that none has."""

    def __init__(self) -> None:
        super().__init__({})

    def __getitem__(self, name: str) -> str:
        return f"images.invalid/{name}:unknown"
