"""The functions that the assistant can call: a trip planner's, as examples.

Every function with ``@tool`` at the top level of a module in this folder is available. To add one, write it
in a file here; to remove one, delete it. Write the docstring for the model: it reads the summary, the
``Args`` and the returned value. Return data (numbers, names, rows) rather than sentences, and raise
``ToolError`` with a sentence that tells the model what to do about a failure.

    @tool
    def get_exchange_rate(currency: str) -> float:
        \"\"\"Get the value of one euro in another currency.

        Args:
            currency: The ISO code, such as "JPY".
        \"\"\"
        return RATES[currency]
"""
