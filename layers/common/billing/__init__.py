"""The billing section's shared code. Four floors, arrows only down:

functions · usecases · adapters, http · domain, settings, runtime
"""
