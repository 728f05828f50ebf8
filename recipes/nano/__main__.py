"""`python -m recipes.nano`."""

from .build import main

main()
