"""The demo's one job: reads a source file of Python's library and writes down what is in it."""

import ast
import tokenize

from packhorse.demo.results import Row, write
from packhorse.function_job import job

Function = ast.FunctionDef | ast.AsyncFunctionDef


@job(tries=3, backoff=[0.5, 1], timeout=30)
def index_file(path: str, package: str, results: str) -> None:
    """Parses the file at `path` and puts a row into the database at `results`.

    Raises `SyntaxError` or `UnicodeDecodeError` for what is no Python. May run twice: the second row
    takes the first's place.
    """
    with tokenize.open(path) as file:  # as Python itself would decode it
        text = file.read()
    nodes = list(ast.walk(ast.parse(text, path)))
    functions = [node for node in nodes if isinstance(node, Function)]
    longest = max(functions, key=_length, default=None)
    write(
        results,
        Row(
            path=path,
            package=package,
            lines=text.count("\n"),
            functions=len(functions),
            classes=sum(isinstance(node, ast.ClassDef) for node in nodes),
            longest="" if longest is None else longest.name,
            longest_lines=0 if longest is None else _length(longest),
        ),
    )


def _length(function: Function) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1
