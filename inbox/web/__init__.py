"""The web side of the inbox: the API, the page, and the guard before both."""
