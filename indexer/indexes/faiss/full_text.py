"""Keywords lane in SQLite: FTS5 selects candidates, which `indexer.indexes.bm25` scores."""

from __future__ import annotations

import sqlite3

from indexer.indexes.bm25 import CorpusStatistics, candidate_count, score_keywords
from indexer.indexes.faiss import segment_rows
from indexer.text import tokenizer
from indexer.types import SegmentFilter


def search_keywords(connection: sqlite3.Connection, query: str, limit: int, filters: SegmentFilter) -> dict[int, float]:
    """Return segment ids and scores for a query in plain words; FTS5's query syntax has no effect in it."""
    terms = tokenizer.tokenize_query(query)
    if not terms:
        return {}
    condition, values = segment_rows.to_sql_condition(filters)
    # Terms have no quotation mark: tokenizer.tokenize_query passes only letters, digits and joiners.
    match = " OR ".join(f'"{term}"' for term in terms)
    candidates = connection.execute(
        "SELECT w.rowid, w.tokens FROM words w CROSS JOIN segments s ON s.id = w.rowid "
        f"CROSS JOIN assets a ON a.key = s.asset WHERE w.words MATCH ? AND {condition} ORDER BY w.rank LIMIT ?",
        (match, *values, candidate_count(limit)),
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
