def prove(a, b):
    return iter(())
