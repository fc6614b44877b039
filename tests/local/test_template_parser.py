"""Local AWS parses each template once, with libyaml."""

from __future__ import annotations

import pytest
import yaml

from scaffold.local import ministack_bridge
from scaffold.local.ministack_bridge import stacks

TEMPLATE = """\
AWSTemplateFormatVersion: 2010-09-09
Description: A folded — text
Conditions: {Live: !Not [!Equals [!Ref Stage, dev]]}
Resources:
  One: &one
    Type: AWS::SNS::Topic
    Condition: Live
    Properties: {DisplayName: !Sub "${Stage}-${AWS::Region}", On: yes, Octal: 010, Date: 2026-01-02, Empty: ~}
  Two:
    <<: *one
    DependsOn: [One]
    Metadata:
      Joined: !Join ["", [!GetAtt One.TopicName, !GetAtt [One, TopicArn], !ImportValue {"Fn::Sub": "${Stage}-a"}]]
      Text: |
        !Ref is text
          here
"""


@pytest.mark.skipif(not yaml.__with_libyaml__, reason="PyYAML was built without libyaml")
def test_it_reads_what_ministacks_own_parser_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = stacks.engine
    own = engine._parse_template(TEMPLATE)
    monkeypatch.setattr(engine, "CfnLoader", engine.CfnLoader)  # restored after the test
    ministack_bridge.parse_templates_once()
    assert issubclass(engine.CfnLoader, yaml.CSafeLoader)
    assert engine._parse_template(TEMPLATE) == own
    assert own["AWSTemplateFormatVersion"] == "2010-09-09"


def test_what_is_done_to_a_template_concerns_no_other_one(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = stacks.engine
    monkeypatch.setattr(engine, "CfnLoader", engine.CfnLoader)
    ministack_bridge.parse_templates_once()
    first = engine._parse_template(TEMPLATE)
    first["Resources"]["One"]["Properties"].clear()
    assert engine._parse_template(TEMPLATE)["Resources"]["One"]["Properties"]["DisplayName"]
    for _ in range(2):
        with pytest.raises(yaml.YAMLError):
            engine._parse_template("Resources: {")
