"""What a pull request's stacks may not have, since CloudFormation would run it or look it up for a plan.

A template is searched as text: CloudFormation's names and functions cannot be written in another way in YAML or JSON
once escapes, unknown tags and directives are refused. A dynamic reference can be put together from pieces, so that a
single open brace at the end of a piece is refused, too.
"""

from __future__ import annotations

import re

from plan_changes import LARGEST_BODY
from plan_stacks import Source

FUNCTIONS = "And|Base64|Cidr|Condition|Equals|FindInMap|GetAZs|GetAtt|If|ImportValue|Join|Not|Or|Ref|Select|Split|Sub"
# The text before, between and after the variables of Fn::Sub are pieces, too.
VARIABLE = re.compile(r"\$\{[\w:.!]*\}")
# A brace at the end of a piece: before a variable, a closing quote, or the end of a line that no deeper one follows.
OPEN_BRACE = re.compile(
    r"""\{(?=\$|['"](?=\s*(?:$|[,\]}])|[ \t]+\#)|\Z)"""
    r"""|^([ ]*)(?![ ]).*\{[ \t]*(?:[ \t]\#.*)?$(?!\n(?:[ \t]*\n)*\1[ \t]+\S)""",
    re.MULTILINE,
)
# In the order of the sentences.
REFUSED: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\\[xuU\r\n]"), "an escape, which could hide what is refused"),
    (re.compile(r"(?:\A|[\r\n\x85\u2028\u2029])%"), "a directive of YAML, which could hide what is refused"),
    (re.compile(r"\bTransform\b"), "a transform, which CloudFormation would run"),
    (
        re.compile(rf"(?<![^\s\[{{,:?-])!(?!(?:{FUNCTIONS})[\s\[{{,'\"])\S*"),
        "a tag that is no function of CloudFormation",
    ),
    (re.compile(r"\bAWS::CloudFormation::Stack\b"), "a nested stack, whose template CloudFormation would fetch"),
    (re.compile(r"::MODULE\b"), "a module, which CloudFormation would fetch"),
    (
        re.compile(r"\bAWS::SSM::Parameter::(?:Value|Name)\b"),
        "a parameter of Parameter Store, which would be looked up",
    ),
    (
        re.compile(r"\bAWS::\w+::\w+(?:::\w+)?::(?:Id|Name|KeyName|GroupName)\b|\bList<AWS::"),
        "a parameter of a type of AWS, whose value would be looked up",
    ),
    (re.compile(r"\{\{"), "a dynamic reference, which could be resolved"),
)


def refusal(source: Source) -> str | None:
    """Why a stack may not be planned; None if it may."""
    if len(source.template.encode()) > LARGEST_BODY:
        return f"its template has more than {LARGEST_BODY} bytes"
    for pattern, what in REFUSED:
        if pattern.search(source.template):
            return f"its template has {what}"
    if OPEN_BRACE.search(VARIABLE.sub("$", source.template)):
        return "its template has a string that ends with an open brace, which could begin a dynamic reference"
    for name, values in (("a parameter", source.parameters), ("a tag", source.tags)):
        if "{" in "".join(str(part) for pair in (values or {}).items() for part in pair):
            return f"{name} has an open brace, which could begin a dynamic reference"
    return None
