"""The calls for databases: Aurora clusters, their instances, and the groups of their subnets and parameters."""

from __future__ import annotations

from scaffold.local.permissions.provisioning.calls import ResourceCalls, Tagging

_TAGGING = Tagging("rds:AddTagsToResource self", "rds:RemoveTagsFromResource self")
_GROUPS = "subgrp:{DBSubnetGroupName} cluster-pg:{DBClusterParameterGroupName}"

CALLS = {
    "AWS::RDS::DBCluster": ResourceCalls(
        "rds",
        "cluster:{id}",
        name="DBClusterIdentifier",
        create="""
            -SourceDBClusterIdentifier CreateDBCluster self {groups}
            +SourceDBClusterIdentifier RestoreDBClusterToPointInTime self cluster:{SourceDBClusterIdentifier} {groups}
            +SourceDBClusterIdentifier ModifyDBCluster self cluster-pg:{DBClusterParameterGroupName}
            DescribeEvents
            kms:DescribeKey
            secretsmanager:CreateSecret secret:rds!cluster-*
            secretsmanager:TagResource secret:rds!cluster-*""".replace("{groups}", _GROUPS),
        update="""
            ModifyDBCluster self cluster-pg:{DBClusterParameterGroupName}
            DescribeDBSubnetGroups
            ec2:DescribeSecurityGroups
            DescribeEvents""",
        delete="""
            CreateDBClusterSnapshot self cluster-snapshot:{snapshot}-*
            DeleteDBCluster self cluster-snapshot:{snapshot}-*
            DescribeGlobalClusters""",
        read="DescribeDBClusters",
        tagging=_TAGGING,
        not_rehearsed=("AssociatedRoles", "KmsKeyId", "RestoreType", "SnapshotIdentifier"),
    ),
    "AWS::RDS::DBClusterParameterGroup": ResourceCalls(
        "rds",
        "cluster-pg:{id}",
        name="DBClusterParameterGroupName",
        create="""
            CreateDBClusterParameterGroup self
            ModifyDBClusterParameterGroup self
            DescribeEngineDefaultClusterParameters""",
        update="""
            ModifyDBClusterParameterGroup self
            ResetDBClusterParameterGroup self""",
        delete="DeleteDBClusterParameterGroup self",
        read="""
            DescribeDBClusterParameterGroups
            DescribeDBClusterParameters
            ListTagsForResource self""",
        tagging=_TAGGING,
    ),
    "AWS::RDS::DBInstance": ResourceCalls(
        "rds",
        "db:{id}",
        name="DBInstanceIdentifier",
        create="""
            CreateDBInstance self cluster:{DBClusterIdentifier}
            DescribeDBClusters
            DescribeEvents""",
        update="""
            ModifyDBInstance self
            DescribeDBClusters
            DescribeEvents""",
        delete="DeleteDBInstance self",
        read="DescribeDBInstances",
        tagging=_TAGGING,
        not_rehearsed=("KmsKeyId", "ManageMasterUserPassword", "MonitoringRoleArn", "SourceDBInstanceIdentifier"),
    ),
    "AWS::RDS::DBSubnetGroup": ResourceCalls(
        "rds",
        "subgrp:{id}",
        name="DBSubnetGroupName",
        create="CreateDBSubnetGroup self",
        update="ModifyDBSubnetGroup self",
        delete="DeleteDBSubnetGroup self",
        read="""
            DescribeDBSubnetGroups
            ListTagsForResource self""",
        tagging=_TAGGING,
    ),
}
