for _ in range(4 * kibibytes):
    print("x" * 1023)
