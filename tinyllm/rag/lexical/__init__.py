"""Search by words: the stemmer, substring counting, tf-idf, BM25."""
