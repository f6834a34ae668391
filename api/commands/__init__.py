"""What the commands of `platepay` do, one module each; api/cli.py only names them."""
