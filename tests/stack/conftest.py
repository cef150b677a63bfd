from tests.stack.running import stack

__all__ = ["stack"]
