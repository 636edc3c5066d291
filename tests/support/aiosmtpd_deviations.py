DEVIATIONS: dict[str, str] = {}
