"""What type checkers say about programs that use packhorse; the programs are read and not run."""
