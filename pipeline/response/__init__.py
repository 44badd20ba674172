"""The package a subject receives and the report a DPO reads: pages, files, manifest, signature."""
