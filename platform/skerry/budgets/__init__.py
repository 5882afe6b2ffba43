"""Budgets: what people and groups may use in a month, what they have used, what is reserved."""
