"""seqexp: which sequence architecture gives the most performance for its cost, on my task?"""
