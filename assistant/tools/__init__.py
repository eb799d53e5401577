"""Python functions as tools for a model: decorator, schema, execution, and results to see."""
