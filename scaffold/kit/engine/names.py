"""The private names of Copier that are used, and the check that the installed Copier has them."""

from __future__ import annotations

from importlib.metadata import version as installed_version

from scaffold.core.errors import ScaffoldError


def unsupported_copier(missing: str) -> ScaffoldError:
    """The error about a Copier that lacks a name that is used here.

    Args:
        missing: The module, or the class with its member.
    """
    return ScaffoldError(
        f"Copier {installed_version('copier')} has no {missing}, which this version of gitops-scaffold uses.",
        "Upgrade gitops-scaffold, or install the older Copier: `pip install copier==9.19.1`.",
    )


try:
    from copier import _main, _settings, _template, _types, _user_data
except ImportError as error:
    raise unsupported_copier(str(error.name)) from error

# Methods, properties and dataclass fields.
USED = {
    (_main, "Worker"): (
        *("src_path", "dst_path", "vcs_ref", "data", "settings", "defaults", "quiet", "exclude", "answers"),
        *("template", "jinja_env", "run_copy", "_ask", "_check_unsafe", "_external_data", "_render_context"),
        *("_answers_to_remember", "_sync_git_index_executable_bit", "answers_relpath", "match_skip"),
    ),
    (_settings, "SettingsModel"): ("model_fields",),
    (_template, "Template"): (
        *("url", "ref", "vcs", "local_abspath", "commit", "commit_hash", "git_index_modes", "metadata"),
        *("questions_data", "secret_questions", "exclude", "_raw_config"),
    ),
    (_types, "MISSING"): (),
    (_user_data, "AnswersMap"): ("user", "init", "last", "metadata", "external", "hidden", "hide", "combined"),
    (_user_data, "Question"): (
        *("var_name", "answers", "context", "jinja_env", "settings", "help", "secret", "multiselect", "validator"),
        *("get_when", "get_ask", "get_default", "get_type_name", "get_multiline", "get_placeholder", "cast_answer"),
        *("parse_answer", "validate_answer", "render_value", "_formatted_choices"),
    ),
}


def check_copier() -> None:
    """Refuse a Copier that lacks a name that is used here.

    Raises:
        ScaffoldError: The message contains the missing name.
    """
    for (module, name), members in USED.items():
        owner = getattr(module, name, None)
        if owner is None:
            raise unsupported_copier(f"{module.__name__}.{name}")
        for member in members:
            if not hasattr(owner, member) and member not in getattr(owner, "__dataclass_fields__", ()):
                raise unsupported_copier(f"{name}.{member}")


check_copier()

MISSING = _types.MISSING
AnswersMap = _user_data.AnswersMap
CopierQuestion = _user_data.Question
CopierTemplate = _template.Template
SettingsModel = _settings.SettingsModel
Worker = _main.Worker
