"""Make a model's int8 file from its float one: by a committed recipe, or by a new one."""
