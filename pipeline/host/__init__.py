"""The processes that act: a consumer of orders, and what it puts around every vendor call."""
