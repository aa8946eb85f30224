"""Generates a TypeScript (axios) and a Python client of `docs/openapi.yaml`, and compiles both strictly.

    python -m tests.contract.clients DIRECTORY      as `make client` does

Nothing of them is kept in the repository: they are what anybody makes of the document.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
NODE = ROOT / "tests" / "node"
BIN = Path(sys.executable).parent
PACKAGE = "decabilld_client"
GENERATE_SECONDS = 180
# What a compiler that looks twice gains, so short a run doesn't earn back: this halves it.
_ENVIRONMENT = {**os.environ, "JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}
_DOCUMENT = ("-i", ROOT / "docs" / "openapi.yaml")


def make_typescript(out: Path, *sources: Path) -> Path:
    """The client in `out`, which is emptied first; compiled into `out/out`, where what it returns is.

    `sources` use the client and are compiled with it, as strictly. Raises subprocess.CalledProcessError with what a
    tool has said.
    """
    _generate("typescript-axios", out, "--additional-properties=supportsES6=true,useSingleRequestParameter=true")
    for source in (NODE / "client.json", *sources):
        shutil.copy(source, out)
    (out / "node_modules").symlink_to(NODE / "node_modules")
    _run(NODE / "node_modules" / ".bin" / "tsc", "-p", out / "client.json")
    return out / "out"


def make_python(out: Path) -> Path:
    """The package's parent, likewise."""
    _generate("python", out, "--package-name", PACKAGE)
    _run(sys.executable, "-m", "compileall", "-q", out / PACKAGE)
    # dateutil's stubs are a package of their own, and none of ours.
    untyped = ("--config-file=", "--disable-error-code", "import-untyped", "--cache-dir", out / ".mypy_cache")
    _run(BIN / "mypy", *untyped, out / PACKAGE)
    return out


def _generate(kind: str, out: Path, *more: str) -> None:
    shutil.rmtree(out, ignore_errors=True)
    _run(BIN / "openapi-generator-cli", "generate", *_DOCUMENT, "-g", kind, "-o", out, *more)


def _run(*command: str | Path) -> None:
    words = [str(word) for word in command]
    done = subprocess.run(
        words, cwd=ROOT, env=_ENVIRONMENT, capture_output=True, text=True, timeout=GENERATE_SECONDS, check=False
    )
    if done.returncode:
        raise subprocess.CalledProcessError(done.returncode, words, f"{done.stdout[-6000:]}{done.stderr[-2000:]}")


if __name__ == "__main__":
    directory = Path(sys.argv[1])
    try:
        print(make_typescript(directory / "typescript"), make_python(directory / "python"), sep="\n")
    except subprocess.CalledProcessError as error:
        sys.exit(f"{error}\n{error.output}")
