"""botocore's exceptions other than refusals by AWS: what each class means, in a sentence with its remedy."""

from __future__ import annotations

from dataclasses import dataclass

from botocore import exceptions as failures
from botocore.exceptions import BotoCoreError

from scaffold.core.errors import ScaffoldError
from scaffold.core.secrets import redact

#: The beginning of a remedy for missing credentials.
SIGN_IN_OR_NAME = "Sign in (`aws configure sso`, `aws configure`), name a profile with `--profile`"
SIGN_IN = "Sign in again (`aws sso login`, or new keys with `aws configure`), then run the same command again."


@dataclass(frozen=True)
class _Meaning:
    """What a class of botocore's exceptions means.

    Attributes:
        happened: The sentence; `{reason}` is the exception's text.
    """

    happened: str
    remedy: str


_NO_CREDENTIALS = _Meaning(
    "No AWS credentials were found.",
    f'{SIGN_IN_OR_NAME}, or let this shell use the local AWS in the background: `eval "$(scaffold local env)"`.',
)
_SIGN_IN_EXPIRED = _Meaning("Your AWS sign-in has expired.", SIGN_IN)
_NO_PROFILE = _Meaning(
    "AWS credentials could not be fetched: {reason}",
    "Name one of the profiles that `aws configure list-profiles` shows.",
)
_NOT_FETCHED = _Meaning(
    "AWS credentials could not be fetched: {reason}",
    "Check the profile in ~/.aws and the AWS_ variables of this shell until `aws sts get-caller-identity` works, then "
    "run the same command again.",
)
_CONFIGURATION = _Meaning(
    "The AWS configuration cannot be used: {reason}",
    "Fix ~/.aws/config or the AWS_ variable that sets it, then run the same command again.",
)
_UNTRUSTED = _Meaning(
    "The TLS certificate of the connection to AWS is not trusted: {reason}",
    "Behind a proxy that inspects TLS, set AWS_CA_BUNDLE to the file with its certificate.",
)
_UNREACHABLE = _Meaning(
    "AWS cannot be reached: {reason}",
    "Check the network, the proxy and AWS_ENDPOINT_URL, then run the same command again.",
)
_UNREADABLE = _Meaning(
    "Reading from AWS failed: {reason}",
    "Run the same command again; if that does not help, something between this machine and AWS answers in its place: "
    "check the proxy and AWS_ENDPOINT_URL.",
)
_UNUSABLE_REGION = _Meaning("The region is not usable: {reason}", "Check the answer `aws_region`.")
_FAILED = _Meaning("The call to AWS failed: {reason}", "Fix what it reports, then run the same command again.")

# By class; the first that fits counts, so subclasses come before their bases. Names, since not every version of
# botocore has each of them.
_MEANINGS = (
    (_NO_CREDENTIALS, ("NoCredentialsError",)),
    (_NO_PROFILE, ("ProfileNotFound",)),
    (_SIGN_IN_EXPIRED, ("SSOError", "TokenRetrievalError", "LoginError")),
    (
        _NOT_FETCHED,
        (
            "CredentialRetrievalError",
            "InvalidConfigError",
            "InvalidIMDSEndpointError",
            "InvalidIMDSEndpointModeError",
            "MetadataRetrievalError",
            "MissingDependencyException",
            "NoAuthTokenError",
            "PartialCredentialsError",
            "RefreshWithMFAUnsupportedError",
            "UnknownCredentialError",
            "UnknownTokenProviderError",
        ),
    ),
    (_UNUSABLE_REGION, ("InvalidRegionError", "NoRegionError", "UnknownEndpointError", "UnknownRegionError")),
    (
        _CONFIGURATION,
        (
            "BaseEndpointResolverError",
            "ConfigNotFound",
            "ConfigParseError",
            "EndpointProviderError",
            "InvalidChecksumConfigError",
            "InvalidDefaultsMode",
            "InvalidEndpointConfigurationError",
            "InvalidEndpointDiscoveryConfigurationError",
            "InvalidProxiesConfigError",
            "InvalidRetryConfigurationError",
            "InvalidS3AddressingStyleError",
            "InvalidS3UsEast1RegionalEndpointConfigError",
            "InvalidSTSRegionalEndpointsConfigError",
            "UnknownSignatureVersionError",
            "UnsupportedSignatureVersionError",
        ),
    ),
    (_UNTRUSTED, ("SSLError",)),
    (_UNREADABLE, ("ChecksumError", "FlexibleChecksumError", "IncompleteReadError", "PaginationError")),
    (_UNREACHABLE, ("HTTPClientError", "ConnectionError")),
)


class UnreadableAnswer(BotoCoreError):
    """An answer of AWS that is not in the form of its API, or lacks a field."""

    fmt = "the answer to {operation} {reason}"


class CallFailed(BotoCoreError):
    """An exception that is none of botocore's, raised by a call: by a provider of credentials, for instance."""

    fmt = "{operation} failed"


def not_fetched(error: Exception) -> ScaffoldError:
    """The error for an exception, none of botocore's, of a provider of credentials."""
    return ScaffoldError(_NOT_FETCHED.happened.format(reason=sentence(_foreign_reason(error))), _NOT_FETCHED.remedy)


def malformed_endpoint(error: ValueError) -> ScaffoldError:
    """The error for an endpoint's URL from which no client can be made."""
    url = str(error).rpartition(": ")[2]
    return ScaffoldError(
        f"The configured endpoint of AWS is not a URL: {sentence(redact(url))}",
        "Set AWS_ENDPOINT_URL, or endpoint_url in ~/.aws/config, to one with a scheme, such as http://localhost:4566.",
    )


def explain(error: BotoCoreError) -> ScaffoldError:
    """The error for an exception of botocore's other than a refusal by AWS."""
    if isinstance(error, CallFailed):
        return not_fetched(error.kwargs["error"])
    meaning = _UNREADABLE if isinstance(error, UnreadableAnswer) else _meaning(error)
    return ScaffoldError(meaning.happened.format(reason=sentence(_reason(error))), meaning.remedy)


def _meaning(error: BotoCoreError) -> _Meaning:
    for meaning, classes in _MEANINGS:
        if any(isinstance(error, getattr(failures, name, ())) for name in classes):
            return meaning
    return _FAILED


def _reason(error: BotoCoreError) -> str:
    """The text of an exception, unless it is a library's own text, which may quote a request with its secrets."""
    cause = getattr(error, "kwargs", {}).get("error")
    if type(error) is failures.HTTPClientError and isinstance(cause, Exception):
        return _foreign_reason(cause, otherwise="the request could not be sent")
    return redact(str(error))


def _foreign_reason(error: Exception, otherwise: str = "their source gave an answer that cannot be read") -> str:
    if isinstance(error, OSError):
        reason = error.strerror or str(error)
        return redact(f"{reason}: {error.filename}" if error.filename else reason)
    return otherwise


def sentence(message: str) -> str:
    """A message on one line, ending like a sentence."""
    text = " ".join(message.split())
    return text if text.endswith((".", "!", "?")) else f"{text}."
