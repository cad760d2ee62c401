"""A web server that learns and answers, on FastAPI: the page in ``static`` and an API below ``/v1``.

Routes are in ``api``, the shapes of their JSON in ``shapes``. docs/serve.md describes them for users. Classifiers are
kept as folders by ``store``. ``guard`` refuses requests of other hosts and sites.
"""
