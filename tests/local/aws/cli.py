"""The real AWS CLI, where it is installed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.local.aws.program import Program

AWS_CLI = Path(sys.executable).with_name("aws")
needs_cli = pytest.mark.skipif(shutil.which(AWS_CLI) is None, reason="awscli is not installed")


def cli(aws: Program, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": aws.url,
        "AWS_CONFIG_FILE": os.devnull,
    }
    return subprocess.run(
        [str(AWS_CLI), "apigateway", *arguments, "--output", "json"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
