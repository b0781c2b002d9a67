"""`edworkers demo`: the main job from LPUSH to answer, each job held against what should become of it."""
