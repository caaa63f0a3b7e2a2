"""An example of a driver that lives outside of packhorse: a folder is the broker."""
