import importlib

for module in modules:
    importlib.import_module(module)
print("can be imported: " + ", ".join(modules))
