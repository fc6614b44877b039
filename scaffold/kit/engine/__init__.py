"""Copier's private classes, which only this package uses.

Copier documents `run_copy` alone. To prompt for one answer after the other, to validate an answer before anything is
written, and to say which answer is invalid takes its `Question`, `AnswersMap`, `Template` and `Worker`. They parse,
cast and validate answers, and evaluate conditions, defaults and choices; nothing here repeats that. A Copier 9 that has
renamed one of them is refused (`names.py`), before it can generate anything different from `copier copy`.
"""
