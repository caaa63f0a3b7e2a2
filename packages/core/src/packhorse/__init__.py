"""Packhorse: a job queue whose every part is a plugin. This is the door for applications."""

from packhorse.after_response import DeferringASGI, DeferringWSGI, deferring
from packhorse.app import Packhorse
from packhorse.carrying import carried, carry
from packhorse.connection import Connection
from packhorse.context import JobContext
from packhorse.driver.message import Counts, Unique
from packhorse.errors import (
    ConfigError,
    ConnectionLost,
    DecryptionError,
    InvalidPayload,
    JobCancelled,
    JobCrashed,
    JobDefinitionError,
    JobFailedError,
    JobTimedOut,
    LeaseLost,
    MaxAttemptsExceeded,
    NoResult,
    PackhorseError,
    PayloadTooLarge,
    PluginError,
    StoreRequired,
    UnknownDriver,
    UnknownJob,
    Unsupported,
)
from packhorse.flow.build import batch, chain
from packhorse.function_job import FunctionJob, job
from packhorse.handle import JobHandle
from packhorse.job import Job
from packhorse.options import Exponential, Isolation, Options, exponential
from packhorse.pending import Pending
from packhorse.queue import Queue, QueuedJob
from packhorse.wire.envelope import Progress

__all__ = [
    "ConfigError",
    "Connection",
    "ConnectionLost",
    "Counts",
    "DecryptionError",
    "DeferringASGI",
    "DeferringWSGI",
    "Exponential",
    "FunctionJob",
    "InvalidPayload",
    "Isolation",
    "Job",
    "JobCancelled",
    "JobContext",
    "JobCrashed",
    "JobDefinitionError",
    "JobFailedError",
    "JobHandle",
    "JobTimedOut",
    "LeaseLost",
    "MaxAttemptsExceeded",
    "NoResult",
    "Options",
    "Packhorse",
    "PackhorseError",
    "PayloadTooLarge",
    "Pending",
    "PluginError",
    "Progress",
    "Queue",
    "QueuedJob",
    "StoreRequired",
    "Unique",
    "UnknownDriver",
    "UnknownJob",
    "Unsupported",
    "batch",
    "carried",
    "carry",
    "chain",
    "deferring",
    "exponential",
    "job",
]
