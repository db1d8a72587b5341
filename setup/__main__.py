"""`python -m setup`: the same command line as `dtwin`."""

from setup.entry import main

if __name__ == "__main__":
    main()
