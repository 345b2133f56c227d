"""Hooks of mkdocs: the pages that are made of the code and of files outside this folder.

- `reference/python/`: one page for each package that lists public names, from its docstrings;
- `reference/commands.md`: every command with its options, from the command line itself;
- `results/`: the tables of results/, and changelog, contributing, security from the root;
- `source/`: each file of the repository that a page points to.

Links that leave this folder are turned to these pages; formulas between dollars become MathML.
"""

from __future__ import annotations

import importlib
import pkgutil
import posixpath
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import latex2mathml.converter
import typer.main
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import diffusionnag
from diffusionnag.cli import app

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"(\[[^\]]*\]\()([^)#\s]+)(#[^)\s]*)?(\))")
LANGUAGES = {".py": "python", ".yaml": "yaml", ".yml": "yaml", ".toml": "toml", ".csv": "text"}
CALLABLE = {"search": "diffusionnag.search", "transfer": "diffusionnag.generation"}
OPTIONS = "    options:\n      heading_level: 2\n      show_root_heading: true\n"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the generated pages to the navigation, where it says `...`."""
    python = [{name: f"reference/python/{name}.md"} for name in public_packages()]
    results = [{path.stem: f"results/{path.name}"} for path in sorted(ROOT.glob("results/*.md"))]
    for entry in config.nav or []:
        for title, pages in entry.items():
            if title == "Reference":
                pages[2:2] = [{"Python": python}]
            if title == "Results":
                pages.append({"Tables": results})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""

    def add(uri: str, content: str) -> None:
        files.append(File.generated(config, uri, content=content))

    for name, members in public_packages().items():
        add(f"reference/python/{name}.md", python_page(name, members))
    add("reference/commands.md", commands_page())
    for path in sorted(ROOT.glob("results/*")):
        add_copy(files, config, f"results/{path.name}", path)
    for name in ("CHANGELOG", "CONTRIBUTING", "SECURITY"):
        add_copy(files, config, f"{name.lower()}.md", ROOT / f"{name}.md")
    for path in linked_files(files):
        add(source_uri(path), source_page(path))
    return files


def add_copy(files: Files, config: MkDocsConfig, uri: str, path: Path) -> None:
    """Add a file of the repository under another address."""
    files.append(File.generated(config, uri, abs_src_path=str(path)))


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links that leave the folder, and formulas where a page says that it has some."""
    origin = repository_path(page.file)
    if origin.startswith("docs/tutorials/"):  # what commands print needs the room
        page.meta["hide"] = ["toc"]

    def turned(link: re.Match[str]) -> str:
        before, target, anchor, after = link.groups(default="")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(origin), target))
        if "://" in target or not (ROOT / path).exists():
            return link[0]
        uri = posixpath.relpath(site_uri(path), posixpath.dirname(page.file.src_uri))
        return f"{before}{uri}{anchor}{after}"

    markdown = LINK.sub(turned, markdown)
    return with_placeholders(markdown, page) if page.meta.get("formulas") else markdown


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put the formulas in the place of what stands for them."""
    for number, formula in enumerate(page.meta.get("formulas_found", [])):
        html = html.replace(f"FORMULA{number}.", formula)
    return html


def repository_path(file: File) -> str:
    """Return where a page's text stands in the repository, as a path from its root."""
    if file.generated_by and file.abs_src_path:
        return Path(file.abs_src_path).relative_to(ROOT).as_posix()
    return f"docs/{file.src_uri}"


def site_uri(path: str) -> str:
    """Return the address in the site of a file, given as a path from the repository's root."""
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    if path.startswith("results/"):
        return path
    if path in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"):
        return path.lower()
    return source_uri(path)


def source_uri(path: str) -> str:
    """Return the address of the page that shows a file."""
    return f"source/{path}.md"


def linked_files(files: Files) -> list[str]:
    """Return the files outside docs/ that pages point to and that no other page shows."""
    found = set()
    for file in files.documentation_pages():
        origin = repository_path(file)
        for link in LINK.finditer(file.content_string):
            path = posixpath.normpath(posixpath.join(posixpath.dirname(origin), link[2]))
            if (ROOT / path).is_file() and site_uri(path).startswith("source/"):
                found.add(path)
    return sorted(found)


def source_page(path: str) -> str:
    """Return a page that shows a file."""
    language = LANGUAGES.get(Path(path).suffix, "text")
    return f'# {path}\n\n````{language} linenums="1"\n{(ROOT / path).read_text()}````\n'


def public_packages() -> dict[str, list[str]]:
    """Return the packages that list public names, each with these names; the top one first."""
    found = {"diffusionnag": list(diffusionnag.__all__)}
    for module in pkgutil.walk_packages(diffusionnag.__path__, "diffusionnag."):
        name = module.name
        if module.ispkg and "._" not in name and not name.startswith("diffusionnag.cli"):
            members = getattr(importlib.import_module(name), "__all__", [])
            if members:
                found[name] = list(members)
    return found


def python_page(name: str, members: list[str]) -> str:
    """Return the page of a package: its docstring and those of its public names."""
    package = importlib.import_module(name)
    parts = [f"# {name}\n\n{(package.__doc__ or '').strip()}\n"]
    for member in sorted(members, key=str.lower):
        # `search` and `transfer` are packages that can be called.
        home = (
            CALLABLE.get(member, name) if isinstance(getattr(package, member), ModuleType) else name
        )
        parts.append(f"::: {home}.{member}\n{OPTIONS}")
    return "\n".join(parts)


def commands_page() -> str:
    """Return the page of all commands: what each does, its arguments and its options."""
    parts = [
        "# Commands\n\nMade from the command line; `diffusionnag COMMAND --help` says the same.\n"
    ]
    parts += command_sections("diffusionnag", typer.main.get_command(app))
    return "\n".join(parts)


def command_sections(name: str, command: Any) -> list[str]:
    """Return the sections of a command and of those below it."""
    if hasattr(command, "commands"):
        pairs = sorted(command.commands.items())
        return [part for below, sub in pairs for part in command_sections(f"{name} {below}", sub)]
    parts = [f"## {name.removeprefix('diffusionnag ')}\n", f"{(command.help or '').strip()}\n"]
    rows = [parameter_row(parameter) for parameter in command.params if parameter.name != "help"]
    usage = " ".join(p.name.upper() for p in command.params if p.param_type_name == "argument")
    parts.append(f"```console\n$ {name} {usage} [OPTIONS]\n```\n")
    return [*parts, "| | what it is | default |\n|---|---|---|", *rows, ""]


def parameter_row(parameter: Any) -> str:
    """Return a table row that tells what a parameter of a command is."""
    if parameter.param_type_name == "argument":
        name = f"`{parameter.name.upper()}`"
    else:
        value = "" if parameter.is_flag else f" {parameter.metavar or parameter.name.upper()}"
        name = ", ".join(f"`{option}{value}`" for option in parameter.opts)
    default = parameter.default
    shown = "" if default in (None, False, (), []) or callable(default) else f"`{default}`"
    text = " ".join((parameter.help or "").split()).replace("|", "\\|")
    return f"| {name.replace('|', chr(92) + '|')} | {text} | {shown} |"


def with_placeholders(markdown: str, page: Page) -> str:
    """Return a page without its formulas, those between dollars outside code, which are kept as MathML.

    Markdown would take a formula at the start of a line for a block of HTML.
    """
    found = page.meta["formulas_found"] = []

    def kept(formula: str, display: str) -> str:
        found.append(latex2mathml.converter.convert(" ".join(formula.split()), display=display))
        return f"FORMULA{len(found) - 1}."

    parts = re.split(r"(```.*?```|`[^`\n]*`)", markdown, flags=re.DOTALL)
    for index in range(0, len(parts), 2):
        text = re.sub(
            r"\$\$(.+?)\$\$", lambda m: kept(m[1], "block"), parts[index], flags=re.DOTALL
        )
        parts[index] = re.sub(r"\$([^$\n]+)\$", lambda m: kept(m[1], "inline"), text)
    return "".join(parts)
