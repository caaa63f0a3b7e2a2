"""Small shared state: the contract, the memory store, and what is built on its two verbs."""
