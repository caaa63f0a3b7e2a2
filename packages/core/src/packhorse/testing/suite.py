"""What both suites share: a test of the standard may not be changed by a subclass."""

_STANDARD = "packhorse.testing."


def changed_tests(suite: type) -> list[str]:
    """The names of standard tests that `suite` or a base of its, outside this kit, redefines."""
    changed = []
    for name in dir(suite):
        owners = [base for base in suite.__mro__ if name in base.__dict__]
        standard = any(owner.__module__.startswith(_STANDARD) for owner in owners)
        own = not owners[0].__module__.startswith(_STANDARD)
        if name.startswith("test_") and standard and own:
            changed.append(name)
    return changed


class Suite:
    """The base of `DriverSuite` and `StoreSuite`."""

    def test_no_standard_test_is_changed(self) -> None:
        changed = changed_tests(type(self))
        assert not changed, (
            f"{type(self).__qualname__} overrides or deletes {', '.join(changed)}: a backend that"
            " cannot keep a promise says so in its capabilities; the tests are the same for all"
        )
