"""The wire format: envelope, serializer, codecs, and the seal that puts them in order."""
