"""One file per step of the route, named by its verb. `flow` says who reads what."""
