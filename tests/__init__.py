"""The tests, a folder for each category; `README.md` says which category asks what."""
