import type { Citation, Evidence, Sentence } from '../api/types';
import { answer, answerError, answering, evidence, findAgain, sentences } from '../state/finding';
import { t, type MessageKey } from '../state/messages';
import { citations, proof, show } from '../state/proof';
import { EarlierTurns, FollowUp } from './Conversation';
import { ErrorNote } from './ErrorNote';
import { nameOf } from './place';

const SIGNS: Record<string, [string, MessageKey]> = {
  supported: ['✓', 'verdict.supported'],
  unclear: ['~', 'verdict.unclear'],
  not_supported: ['✕', 'verdict.not_supported'],
};

/** The answer, sentence by sentence, each with its verdict and what proves it. */
export function AnswerText() {
  if (answering.value === 'idle') return null;
  return (
    <section class="answer" aria-labelledby="answer-title">
      <h2 id="answer-title">{t('answer.title')}</h2>
      <EarlierTurns />
      <div aria-live="polite" aria-busy={answering.value === 'running'}>
        {sentences.value.map((sentence) => (
          <SentenceText sentence={sentence} />
        ))}
        {answering.value === 'running' && !sentences.value.length && <p class="quiet">{t('answer.running')}</p>}
        {answerError.value && <ErrorNote error={answerError.value} again={findAgain} />}
        {answer.value?.abstained && <Abstention />}
      </div>
      {answering.value === 'done' && <Unused />}
      {answering.value === 'done' && <FollowUp />}
    </section>
  );
}

function SentenceText({ sentence }: { sentence: Sentence }) {
  const [sign, word] = SIGNS[sentence.verdict] ?? ['~', 'verdict.unclear'];
  return (
    <p class={`sentence ${sentence.verdict}`}>
      <span class="sentence-text">{sentence.text}</span>{' '}
      <span class="verdict">
        <span aria-hidden="true">{sign}</span> {t(word)}
      </span>{' '}
      {sentence.citations.map((citation) => (
        <Chip citation={citation} />
      ))}
    </p>
  );
}

function Chip({ citation }: { citation: Citation }) {
  return (
    <button
      type="button"
      class="chip citation"
      aria-pressed={proof.value?.id === citation.id}
      aria-label={t('answer.citation', { id: citation.id, place: nameOf(citation) })}
      onClick={() => show(citation.id)}
    >
      {citation.id}
    </button>
  );
}

function EvidenceButton({ evidence: { id, ...place } }: { evidence: Evidence }) {
  return (
    <button type="button" class="chip" aria-pressed={proof.value?.id === id} onClick={() => show(id)}>
      {id} · {nameOf(place)}
    </button>
  );
}

function Abstention() {
  const closest = evidence.value.slice(0, 3);
  return (
    <div class="abstention">
      <p>{t('answer.abstained')}</p>
      {closest.length > 0 && (
        <>
          <p class="quiet">{t('answer.closest')}</p>
          <ul>
            {closest.map((each) => (
              <li>
                <EvidenceButton evidence={each} />
              </li>
            ))}
          </ul>
        </>
      )}
    </div>
  );
}

function Unused() {
  const used = new Set(citations.value.map((citation) => citation.id));
  const rest = evidence.value.filter((each) => !used.has(each.id));
  if (!rest.length || answer.value?.abstained) return null;
  return (
    <details>
      <summary>{t('answer.unused')}</summary>
      <ul class="unused">
        {rest.map((each) => (
          <li>
            <EvidenceButton evidence={each} />
          </li>
        ))}
      </ul>
    </details>
  );
}
