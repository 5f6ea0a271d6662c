"""Language rules: the first adapters of `QuestionAnalyzer` and `ClaimVerifier`.

Regular expressions and word lists stand in for understanding here, and nowhere else in the product. They know English
best and some words of German, French, Spanish and Italian. What they cannot read they say (`unread`), so that another
adapter, such as a model, can take over there.
"""
