"""Code coverage: what is read from the files of the tools that CodeBuild supports."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scaffold.engine.builds.coverage import FORMATS, Counts, read
from scaffold.engine.builds.reports import InvalidReport

COBERTURA = """<?xml version="1.0" ?>
<!DOCTYPE coverage SYSTEM "http://cobertura.sourceforge.net/xml/coverage-04.dtd">
<coverage line-rate="0.6"><packages><package name="app"><classes>
  <class name="one" filename="app/one.py">
    <methods><method name="run"><lines><line number="1" hits="1"/></lines></method></methods>
    <lines>
      <line number="1" hits="1"/><line number="2" hits="0"/>
      <line number="3" hits="4" branch="true" condition-coverage="50% (1/2)"/>
    </lines>
  </class>
  <class name="inner" filename="app/one.py"><methods/><lines><line number="9" hits="1"/></lines></class>
  <class name="two" filename="app/two.py"><methods/><lines><line number="1" hits="0"/></lines></class>
</classes></package></packages></coverage>
"""
CLOVER = """<coverage generated="1"><project timestamp="1"><metrics statements="4" coveredstatements="3"/>
  <package name="app">
    <file name="one.js" path="/src/app/one.js">
      <metrics statements="3" coveredstatements="3" conditionals="4" coveredconditionals="1" methods="1"/>
      <line num="1" count="1" type="stmt"/>
    </file>
    <file name="two.js"><metrics statements="1" coveredstatements="0" conditionals="0" coveredconditionals="0"/></file>
  </package>
</project></coverage>
"""
JACOCO = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE report PUBLIC "-//JACOCO//DTD Report 1.1//EN" "report.dtd">
<report name="app"><group name="g"><package name="org/app">
  <class name="org/app/One"><counter type="LINE" missed="9" covered="9"/></class>
  <sourcefile name="One.java">
    <line nr="1" mi="0" ci="2" mb="1" cb="1"/>
    <counter type="INSTRUCTION" missed="2" covered="5"/>
    <counter type="BRANCH" missed="1" covered="3"/><counter type="LINE" missed="2" covered="5"/>
  </sourcefile>
  <sourcefile name="Two.java"><counter type="LINE" missed="1" covered="0"/></sourcefile>
</package></group></report>
"""
SIMPLECOV = json.dumps(
    {
        "RSpec": {
            "coverage": {
                "/src/one.rb": {
                    "lines": [1, None, 0, 2, "ignored"],
                    "branches": {"[:if, 0, 3, 4, 5, 7]": {"[:then, 1]": 1, "[:else, 2]": 0}},
                },
                "/src/two.rb": [0, None, 0],
            },
            "timestamp": 1,
        },
        "Minitest": {"coverage": {"/src/two.rb": [3, None, 0]}, "timestamp": 2},
    }
)


@pytest.mark.parametrize(
    ("file_format", "text", "expected"),
    [
        ("COBERTURAXML", COBERTURA, {"app/one.py": Counts(3, 1, 1, 1), "app/two.py": Counts(0, 1)}),
        ("CLOVERXML", CLOVER, {"/src/app/one.js": Counts(3, 0, 1, 3), "two.js": Counts(0, 1)}),
        ("JACOCOXML", JACOCO, {"org/app/One.java": Counts(5, 2, 3, 1), "org/app/Two.java": Counts(0, 1)}),
        ("SIMPLECOV", SIMPLECOV, {"/src/one.rb": Counts(2, 1, 1, 1), "/src/two.rb": Counts(1, 1)}),
    ],
    ids=["cobertura", "clover", "jacoco", "simplecov"],
)
def test_lines_and_branches_of_each_file(
    tmp_path: Path, file_format: str, text: str, expected: dict[str, Counts]
) -> None:
    (tmp_path / "report").write_text(text)
    found = read("unit", file_format, {"report": tmp_path / "report"})
    assert found.files == expected
    twice = read("unit", file_format, dict.fromkeys(("one", "two"), tmp_path / "report"))
    assert twice.total == found.total + found.total


OTHERS = {
    "COBERTURAXML": '<coverage><class filename="a"><lines><line hits="x"/></lines></class></coverage>',
    "CLOVERXML": '<coverage><file name="a"/></coverage>',
    "JACOCOXML": '<report><package name="a"><sourcefile/></package></report>',
    "SIMPLECOV": '{"RSpec": {"coverage": 1}}',
}


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_file_of_another_format_is_refused(tmp_path: Path, file_format: str) -> None:
    for text in ("", "nothing", "<html/>", "[]", OTHERS[file_format]):
        (tmp_path / "report").write_text(text)
        with pytest.raises(InvalidReport, match=f"^report is not in the format {file_format}: "):
            read("unit", file_format, {"report": tmp_path / "report"})
