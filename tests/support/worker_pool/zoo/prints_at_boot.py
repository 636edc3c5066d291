print("Hello, I am a script", flush=True)
input()
