"""Finished results on disk, so that a long run can be interrupted and goes on where it was."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from invcomp.lab.results import FileResult, Result
from invcomp.writing import make_folder, write_whole

VERSION = 1  # of what is measured: to be raised when figures of the same key would change


class Store:
    """A folder of results by key; without a folder nothing is kept."""

    def __init__(self, folder: Path | None) -> None:
        """Raises `OutputError` if the folder cannot be made."""
        self.folder = folder
        if folder is not None:
            make_folder(folder)

    def path(self, key: dict[str, Any]) -> Path | None:
        if self.folder is None:
            return None
        text = json.dumps({"version": VERSION, **key}, sort_keys=True)
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.json"

    def get(self, key: dict[str, Any]) -> Result | None:
        """The result that was put under `key`; None if there is none, or it is damaged."""
        path = self.path(key)
        if path is None or not path.is_file():
            return None
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            files = [FileResult(f["name"], base64.b64decode(f["data"]), f["figures"]) for f in data["files"]]
            return Result(data["codec"], data["setting"], files, data["mean"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def put(self, key: dict[str, Any], result: Result) -> None:
        path = self.path(key)
        if path is None:
            return
        files = [
            {"name": f.name, "data": base64.b64encode(f.data).decode(), "figures": f.figures} for f in result.files
        ]
        content = {"codec": result.codec, "setting": result.setting, "files": files, "mean": result.mean}
        write_whole(path, json.dumps(content).encode())
