"""boto3 clients for the functions, made once per warm process. AWS_ENDPOINT_URL is boto3's own."""

from functools import cache
from typing import Any

import boto3
from botocore.config import Config

_CONFIG = Config(
    connect_timeout=2,
    read_timeout=10,
    retries={"mode": "standard"},
    # Links are given to browsers: they name the bucket's region, and never redirect.
    signature_version="s3v4",
    s3={"addressing_style": "virtual", "us_east_1_regional_endpoint": "regional"},
)


@cache
def client(service: str) -> Any:
    config = _CONFIG if service == "s3" else _CONFIG.merge(Config(signature_version=None))
    return boto3.client(service, config=config)


@cache
def table(name: str) -> Any:
    """Return a DynamoDB table, whose items are plain Python values (numbers are Decimals)."""
    return boto3.resource("dynamodb", config=_CONFIG.merge(Config(signature_version=None))).Table(
        name
    )
