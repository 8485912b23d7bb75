"""The command as `python -m chatkit_prod.cli`."""

from . import main

if __name__ == "__main__":
    main()
