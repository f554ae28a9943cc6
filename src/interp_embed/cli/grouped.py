"""Options that several commands share or that belong together, handed over as one record."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def grouped_options(record: type[Any], name: str, options: Sequence[Decorator]) -> Decorator:
    """Return a decorator that adds options to a command, which gets them as one argument.

    Args:
        record: Dataclass whose fields are named as the options.
        name: Argument of the command.
        options: Click's, in the order in which the help shows them.
    """
    names = [field.name for field in fields(record)]

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def gather(**given: Any) -> Any:  # noqa: ANN401 - whatever the command takes and returns
            values = {field: given.pop(field) for field in names}
            return command(**{name: record(**values)}, **given)

        decorated: Callable[..., Any] = gather
        for option in reversed(options):
            decorated = option(decorated)
        return decorated

    return decorate
