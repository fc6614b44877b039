"""Write cookiecutter.json from copier.yml: `python tools/cookiecutter_door.py`. A test fails when the two drift."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from jinja2 import FileSystemLoader
from jinja2.sandbox import SandboxedEnvironment

ROOT = Path(__file__).resolve().parent.parent

# cookiecutter makes the folder before any hook can refuse its name.
FOLDER = (
    "{% set name = cookiecutter.app_name | string %}"
    "{% set odd = name | list | reject('in', 'abcdefghijklmnopqrstuvwxyz0123456789-') | list %}"
    "{{ 'invalid-app-name' if not name or odd or name | length > 24 or name[0] in '-0123456789' else name }}"
)
EXTRA = "More answers as YAML, for example {architecture: arm64, log_retention_days: 90}"
DEPLOY = "Deploy to AWS now, with the credentials of this shell? It costs money from then on"


def rendered() -> str:
    """The text of cookiecutter.json."""
    configuration = yaml.safe_load((ROOT / "copier.yml").read_text("utf-8"))
    questions = {
        name: details
        for name, details in configuration.items()
        if not name.startswith("_") and "when" not in details and name != "customize"
    }
    evaluate = _evaluator()
    variables: dict[str, Any] = {}
    prompts: dict[str, str] = {}
    for name, details in questions.items():
        prompts[name] = details["help"]
        default = details.get("default", details.get("placeholder"))
        choices = details.get("choices")
        if isinstance(choices, str) and "cpu" in choices.replace("memory_by_cpu", ""):
            # What fits the CPU: cookiecutter has no choices that depend on an answer, but defaults that do.
            fitting = {cpu: evaluate(default, cpu=int(cpu)) for cpu in variables["cpu"]}
            variables[name] = f"{{{{ {fitting}[cookiecutter.cpu] }}}}"
        elif choices:
            values = [
                str(value) for value in (yaml.safe_load(evaluate(choices)) if isinstance(choices, str) else choices)
            ]
            variables[name] = sorted(values, key=lambda value: value != str(default))
        else:
            variables[name] = default
    variables |= {"deploy": False, "extra": "{}", "__directory": FOLDER}
    prompts |= {"deploy": DEPLOY, "extra": EXTRA}
    return json.dumps({**variables, "__prompts__": prompts}, indent=2) + "\n"


def _evaluator() -> Any:
    extensions = ["jinja2_ansible_filters.AnsibleCoreFiltersExtension"]
    environment = SandboxedEnvironment(
        loader=FileSystemLoader(ROOT), extensions=extensions, trim_blocks=True, lstrip_blocks=True
    )
    return lambda template, **context: environment.from_string(template).render(**context).strip()


if __name__ == "__main__":
    (ROOT / "cookiecutter.json").write_text(rendered(), "utf-8")
