"""The door to the events: every class that `app.on` takes."""
