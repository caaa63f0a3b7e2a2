"""What is published: wheels, metadata, public names and the cost of importing them."""
