"""``python -m mockmail``."""

from mockmail.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
