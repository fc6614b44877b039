"""The calls for web ACLs of AWS WAF, their associations and logs."""

from __future__ import annotations

from scaffold.local.permissions.provisioning.calls import ResourceCalls, Tagging

CALLS = {
    "AWS::WAFv2::LoggingConfiguration": ResourceCalls(
        "wafv2",
        create="""
            PutLoggingConfiguration {ResourceArn}
            logs:CreateLogDelivery
            logs:DescribeLogGroups
            logs:DescribeResourcePolicies
            logs:PutResourcePolicy""",
        update="PutLoggingConfiguration {ResourceArn}",
        delete="""
            GetLoggingConfiguration {ResourceArn}
            DeleteLoggingConfiguration {ResourceArn}
            logs:DeleteLogDelivery""",
        read="GetLoggingConfiguration {ResourceArn}",
    ),
    "AWS::WAFv2::WebACL": ResourceCalls(
        "wafv2",
        "regional/webacl/{Name}/*",
        name="Name",
        create="CreateWebACL self",
        update="UpdateWebACL self",
        delete="""
            GetWebACL self
            DeleteWebACL self""",
        read="""
            GetWebACL self
            ListTagsForResource self""",
        tagging=Tagging("wafv2:TagResource self", "wafv2:UntagResource self"),
    ),
    "AWS::WAFv2::WebACLAssociation": ResourceCalls(
        "wafv2",
        create="""
            AssociateWebACL {WebACLArn} {ResourceArn}
            elasticloadbalancing:SetWebACL {ResourceArn}""",
        delete="""
            GetWebACLForResource {ResourceArn}
            DisassociateWebACL {ResourceArn}
            elasticloadbalancing:SetWebACL {ResourceArn}""",
        read="""
            GetWebACL {WebACLArn}
            GetWebACLForResource {ResourceArn}""",
    ),
}
