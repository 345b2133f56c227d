"""`python -m diffusionnag`: the command line."""

from diffusionnag.cli import main

if __name__ == "__main__":
    main()
