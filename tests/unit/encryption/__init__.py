"""packhorse-encryption: key ring, codec and commands."""
