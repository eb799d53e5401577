"""Python functions as tools for a model: the decorator, schemas, execution and views.

For the rest of the package: ``toolbox`` (``@tool`` and ``Toolbox``), ``arguments`` (parse and validate),
``execution`` (run the calls of a round), ``background`` (run calls while the model goes on) with
``task_handles`` (their names), ``results`` (outputs and results), ``progress``, ``views`` (charts,
maps, files … that a function returns) with ``view_checks``, ``offer`` (what a model may do with a function),
``hosted`` (tools that the server runs), ``lint`` (warnings about descriptions), ``schema`` (strict mode) and
``fault_injection``.
"""
