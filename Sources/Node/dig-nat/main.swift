print("dig-nat")
