import sys

print("no database here", file=sys.stderr)
sys.exit(3)
