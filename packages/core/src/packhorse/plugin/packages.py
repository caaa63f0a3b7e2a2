"""Which published package brings what: for the line that tells a user what to install."""

from typing import Final

PACKAGES: Final = {
    "sql": "packhorse-sql",
    "redis": "packhorse-redis",
    "sqs": "packhorse-sqs",
    "beanstalkd": "packhorse-beanstalkd",
    "encryption": "packhorse-encryption",
}
"""The distribution of each plugin that the project publishes, by the plugin's name."""

SCHEMES: Final = {
    "sqlite": "sql",
    "postgresql": "sql",
    "mysql": "sql",
    "mariadb": "sql",
    "redis": "redis",
    "rediss": "redis",
    "unix": "redis",
    "sqs": "sqs",
    "beanstalkd": "beanstalkd",
}
"""The plugin that brings each URL scheme."""
