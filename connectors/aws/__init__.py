"""AWS: files in S3, with all their versions, delete markers and unfinished uploads."""

from .connector import Aws
from .sandbox import AwsSandbox

__all__ = ["Aws", "AwsSandbox"]
