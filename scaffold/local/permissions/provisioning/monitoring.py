"""The calls for alarms, dashboards and logs."""

from __future__ import annotations

from scaffold.local.permissions.provisioning.calls import ResourceCalls, Tagging

_CLOUDWATCH = Tagging("cloudwatch:TagResource self", "cloudwatch:UntagResource self")

CALLS = {
    "AWS::CloudWatch::Alarm": ResourceCalls(
        "cloudwatch",
        "alarm:{id}",
        name="AlarmName",
        create="PutMetricAlarm self",
        update="PutMetricAlarm self",
        delete="""
            DescribeAlarms
            DeleteAlarms self""",
        read="""
            DescribeAlarms
            ListTagsForResource self""",
        tagging=_CLOUDWATCH,
    ),
    "AWS::CloudWatch::Dashboard": ResourceCalls(
        "cloudwatch",
        "arn:aws:cloudwatch::{account}:dashboard/{id}",
        name="DashboardName",
        create="PutDashboard self",
        update="PutDashboard self",
        delete="""
            GetDashboard self
            DeleteDashboards self""",
        read="""
            GetDashboard self
            ListTagsForResource self""",
        tagging=_CLOUDWATCH,
    ),
    "AWS::Logs::LogGroup": ResourceCalls(
        "logs",
        "log-group:{id}:log-stream:",  # As in AWS's messages for these calls; those for tags have the group alone.
        name="LogGroupName",
        create="CreateLogGroup self",
        set="+RetentionInDays PutRetentionPolicy self",
        change="""
            -RetentionInDays DeleteRetentionPolicy self
            +KmsKeyId AssociateKmsKey self
            -KmsKeyId DisassociateKmsKey self""",
        delete="""
            DescribeLogGroups
            DeleteDataProtectionPolicy self
            DeleteLogGroup self""",
        read="""
            DescribeIndexPolicies
            DescribeLogGroups
            DescribeResourcePolicies
            GetDataProtectionPolicy
            ListTagsForResource log-group:{id}""",
        tagging=Tagging("logs:TagResource log-group:{id}", "logs:UntagResource log-group:{id}"),
        not_rehearsed=(
            *("BearerTokenAuthenticationEnabled", "DataProtectionPolicy", "FieldIndexPolicies"),
            "ResourcePolicyDocument",
        ),
    ),
}
