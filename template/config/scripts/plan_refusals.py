"""What a pull request's stacks may not have, since CloudFormation would run it or look it up for a plan.

A template is searched as text: CloudFormation's names and functions cannot be written in another way in YAML or JSON
once escapes, unknown tags and directives are refused. A dynamic reference can be put together from pieces, so that a
single open brace where a piece ends, or may be cut, is refused, too. Braces within a piece, as of JSON, are not.
"""

from __future__ import annotations

import re

from plan_changes import LARGEST_BODY
from plan_stacks import Source

FUNCTIONS = "And|Base64|Cidr|Condition|Equals|FindInMap|GetAZs|GetAtt|If|ImportValue|Join|Not|Or|Ref|Select|Split|Sub"
# The text before, between and after the variables of Fn::Sub are pieces, too.
VARIABLE = re.compile(r"\$\{[\w:.!]*\}")
BREAK = re.compile(r"\r\n?|[\x85\u2028\u2029]")
# A brace at the end of a piece: before a variable, a comma, which ends an item of a list of text, a closing quote, or
# the end of a line. There it may begin the value of a line, as in flow notation, if a deeper line follows, which is no
# comment: a piece with such a line does not end here.
OPEN_BRACE = re.compile(
    r"""\{(?=\$|\s*,|\s*['"](?=\s*(?:$|[,\]}\#]))|\Z)"""
    r"""|^(?!([ ]*)(?:-[ ]+)*(?:[\w:.-]+:[ ]+|"[^"{}\\\n]*":[ ]+)?\{[ \t]*(?:[ \t]\#.*)?\n"""
    r"""(?:[ \t]*\n)*\1[ \t]+[^\s\#]).*\{[ \t]*(?:[ \t]\#.*)?$""",
    re.MULTILINE,
)
# Split cuts a piece before its delimiter.
SPLIT = re.compile(r"(?:!|Fn::)Split\b")
DELIMITER = re.compile(r"""['"]?\s*:?[\s\[-]*(['"])([^\s{}'"\\$])[^\s{}'"\\$]*\1\s*[,\n]""")
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
    text = BREAK.sub("\n", source.template)
    for function in SPLIT.finditer(text):
        delimiter = DELIMITER.match(text, function.end())
        if not delimiter:
            return "its template has a Split whose delimiter is no quoted text without spaces, quotes, braces and `$`"
        if re.search(rf"\{{\\?{re.escape(delimiter[2])}", text):
            return "its template has an open brace before a delimiter of Split, which could begin a dynamic reference"
    if OPEN_BRACE.search(VARIABLE.sub("$", text)):
        return "its template has a string that ends with an open brace, which could begin a dynamic reference"
    for name, values in (("a parameter", source.parameters), ("a tag", source.tags)):
        if "{" in "".join(str(part) for pair in (values or {}).items() for part in pair):
            return f"{name} has an open brace, which could begin a dynamic reference"
    return None
