"""The promises of the driver contract, one file a subject; `DriverSuite` inherits them all."""
