"""The keywords lane in SQLite: FTS5 finds candidates, the score is our own."""

from __future__ import annotations

import sqlite3

from indexer.indexes.bm25 import CorpusStatistics, score_keywords
from indexer.indexes.faiss import segment_rows
from indexer.text import tokenizer
from indexer.types import SegmentFilter

_MIN_CANDIDATES = 1000


def search_keywords(connection: sqlite3.Connection, query: str, limit: int, filters: SegmentFilter) -> dict[int, float]:
    """Segment ids and scores for a query in plain words; nothing in it is taken as a query language.

    Candidates are the best by BM25, a thousand or four times the limit.
    """
    terms = tokenizer.tokenize_query(query)
    if not terms:
        return {}
    condition, values = segment_rows.to_sql_condition(filters)
    # Terms hold no quotation mark: words.query_terms lets only letters, digits and joiners through.
    match = " OR ".join(f'"{term}"' for term in terms)
    candidates = connection.execute(
        "SELECT w.rowid, w.tokens FROM words w CROSS JOIN segments s ON s.id = w.rowid "
        f"CROSS JOIN assets a ON a.key = s.asset WHERE w.words MATCH ? AND {condition} ORDER BY w.rank LIMIT ?",
        (match, *values, max(_MIN_CANDIDATES, 4 * limit)),
    ).fetchall()
    if not candidates:
        return {}
    corpus = _corpus(connection, terms)
    return {id_: score_keywords(terms, tokens.split(" "), corpus) for id_, tokens in candidates}


def _corpus(connection: sqlite3.Connection, terms: tuple[str, ...]) -> CorpusStatistics:
    documents, tokens = connection.execute("SELECT sum(documents), sum(tokens) FROM assets").fetchone()
    frequencies = {}
    for term in terms:
        row = connection.execute("SELECT doc FROM vocabulary WHERE term = ?", (term,)).fetchone()
        frequencies[term] = row[0] if row else 0
    return CorpusStatistics(documents, tokens, frequencies)
