"""The calls for data: keys, buckets, tables, queues, image repositories and topics."""

from __future__ import annotations

from scaffold.local.permissions.provisioning.calls import ResourceCalls, Tagging
from scaffold.local.protocol import ACCOUNT

CALLS = {
    "AWS::Budgets::Budget": ResourceCalls(
        "budgets",
        f"arn:aws:budgets::{ACCOUNT}:budget/{{id}}",
        create="ModifyBudget self",
        update="ModifyBudget self",
        delete="ModifyBudget self",
        read="""
            ViewBudget self
            ListTagsForResource self
            billing:GetBillingViewData""",
        tagging=Tagging("budgets:TagResource self", "budgets:UntagResource self"),
    ),
    "AWS::CloudTrail::Trail": ResourceCalls(
        "cloudtrail",
        "trail/{id}",
        name="TrailName",
        create="CreateTrail self",
        set="""
            +AdvancedEventSelectors,EventSelectors PutEventSelectors self
            ?IsLogging StartLogging self""",
        change="-IsLogging StopLogging self",
        update="UpdateTrail self",
        delete="DeleteTrail self",
        read="""
            DescribeTrails
            GetEventConfiguration self
            GetEventSelectors self
            GetInsightSelectors self
            GetTrail self
            GetTrailStatus self
            ListTags self""",
        tagging=Tagging("cloudtrail:AddTags self", "cloudtrail:RemoveTags self"),
        not_rehearsed=("AggregationConfigurations", "InsightSelectors", "CloudWatchLogsRoleArn"),
    ),
    "AWS::DynamoDB::Table": ResourceCalls(
        "dynamodb",
        "table/{id}",
        name="TableName",
        create="""
            CreateTable self
            DescribeTable self""",
        set="+PointInTimeRecoverySpecification UpdateContinuousBackups self",
        update="UpdateTable self",
        delete="""
            DescribeTable self
            DeleteTable self""",
        read="""
            DescribeContinuousBackups self
            DescribeContributorInsights self
            DescribeKinesisStreamingDestination self
            DescribeTable self
            DescribeTimeToLive self
            GetResourcePolicy self
            ListTagsOfResource self""",
        tagging=Tagging("dynamodb:TagResource self", "dynamodb:UntagResource self"),
        not_rehearsed=(
            *("ContributorInsightsSpecification", "ImportSourceSpecification", "KinesisStreamSpecification"),
            *("ResourcePolicy", "SSESpecification", "TimeToLiveSpecification"),
        ),
    ),
    "AWS::ECR::Repository": ResourceCalls(
        "ecr",
        "repository/{id}",
        name="RepositoryName",
        create="CreateRepository self",
        set="+LifecyclePolicy PutLifecyclePolicy self",
        change="""
            -LifecyclePolicy DeleteLifecyclePolicy self
            +ImageTagMutability,ImageTagMutabilityExclusionFilters PutImageTagMutability self""",
        delete="DeleteRepository self",
        read="""
            DescribeRepositories self
            GetLifecyclePolicy self
            GetRepositoryPolicy self
            ListTagsForResource self""",
        tagging=Tagging("ecr:TagResource self", "ecr:UntagResource self"),
        not_rehearsed=("ImageScanningConfiguration", "RepositoryPolicyText"),
    ),
    "AWS::KMS::Key": ResourceCalls(
        "kms",
        "key/{id}",
        create="CreateKey",  # Without permissions on resources.
        set="?EnableKeyRotation EnableKeyRotation self",
        change="""
            -EnableKeyRotation DisableKeyRotation self
            +KeyPolicy PutKeyPolicy self
            +Description UpdateKeyDescription self
            -Description UpdateKeyDescription self""",
        delete="""
            DescribeKey self
            ScheduleKeyDeletion self""",
        read="""
            DescribeKey self
            GetKeyPolicy self
            GetKeyRotationStatus self
            ListResourceTags self""",
        tagging=Tagging("kms:TagResource self", "kms:UntagResource self"),
        not_rehearsed=("Enabled",),
    ),
    "AWS::S3::Bucket": ResourceCalls(
        "s3",
        "{id}",
        name="BucketName",
        create="CreateBucket self",
        set="""
            +BucketEncryption PutEncryptionConfiguration self
            +LifecycleConfiguration PutLifecycleConfiguration self
            +OwnershipControls PutBucketOwnershipControls self
            +PublicAccessBlockConfiguration PutBucketPublicAccessBlock self
            +VersioningConfiguration PutBucketVersioning self""",
        delete="""
            ListBucket self
            DeleteBucket self""",
        read="""
            GetAccelerateConfiguration self
            GetAnalyticsConfiguration self
            GetBucketAbac self
            GetBucketAcl self
            GetBucketCORS self
            GetBucketLogging self
            GetBucketMetadataTableConfiguration self
            GetBucketNotification self
            GetBucketObjectLockConfiguration self
            GetBucketOwnershipControls self
            GetBucketPublicAccessBlock self
            GetBucketTagging self
            GetBucketVersioning self
            GetBucketWebsite self
            GetEncryptionConfiguration self
            GetIntelligentTieringConfiguration self
            GetInventoryConfiguration self
            GetLifecycleConfiguration self
            GetMetricsConfiguration self
            GetReplicationConfiguration self
            ListBucket self
            ListTagsForResource self""",
        tagging=Tagging("s3:PutBucketTagging self\ns3:TagResource self", "s3:UntagResource self"),
        not_rehearsed=(
            *("AbacStatus", "AccelerateConfiguration", "AccessControl", "AnalyticsConfigurations", "CorsConfiguration"),
            *("IntelligentTieringConfigurations", "InventoryConfigurations", "LoggingConfiguration"),
            *("MetadataConfiguration", "MetadataTableConfiguration", "MetricsConfigurations"),
            *("NotificationConfiguration", "ObjectLockConfiguration", "ObjectLockEnabled", "ReplicationConfiguration"),
            "WebsiteConfiguration",
        ),
    ),
    "AWS::S3::BucketPolicy": ResourceCalls(
        "s3",
        "{Bucket}",
        create="PutBucketPolicy self",
        update="PutBucketPolicy self",
        delete="""
            GetBucketPolicy self
            DeleteBucketPolicy self""",
        read="GetBucketPolicy self",
    ),
    "AWS::SNS::Subscription": ResourceCalls(
        "sns",
        "{TopicArn}",
        create="Subscribe self",
        delete="""
            GetSubscriptionAttributes
            Unsubscribe""",
        not_rehearsed=(
            *("DeliveryPolicy", "FilterPolicy", "FilterPolicyScope", "RawMessageDelivery", "RedrivePolicy"),
            *("Region", "ReplayPolicy", "SubscriptionRoleArn"),
        ),
    ),
    "AWS::SNS::Topic": ResourceCalls(
        "sns",
        "{id}",
        name="TopicName",
        create="CreateTopic self",
        update="SetTopicAttributes self",
        delete="""
            GetTopicAttributes self
            DeleteTopic self""",
        read="""
            GetDataProtectionPolicy self
            GetTopicAttributes self
            ListSubscriptionsByTopic self
            ListTagsForResource self""",
        tagging=Tagging("sns:TagResource self", "sns:UntagResource self"),
        not_rehearsed=("DataProtectionPolicy", "DeliveryStatusLogging", "Subscription"),
    ),
    "AWS::SNS::TopicPolicy": ResourceCalls(
        "sns",
        "{Topics}",
        create="SetTopicAttributes self",
        update="SetTopicAttributes self",
        delete="SetTopicAttributes self",
    ),
    "AWS::SQS::Queue": ResourceCalls(
        "sqs",
        "{QueueName}",
        name="QueueName",
        create="CreateQueue self",
        update="SetQueueAttributes self",
        delete="""
            GetQueueAttributes self
            DeleteQueue self""",
        read="""
            GetQueueAttributes self
            GetQueueUrl self
            ListQueueTags self""",
        tagging=Tagging("sqs:TagQueue self", "sqs:UntagQueue self"),
    ),
    "AWS::SQS::QueuePolicy": ResourceCalls(
        "sqs",
        "{Queues}",
        create="SetQueueAttributes self",
        update="SetQueueAttributes self",
        delete="SetQueueAttributes self",
    ),
}
